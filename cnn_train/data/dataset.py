"""The base of every dataset's settings: they load its splits as image sets."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self

from pydantic import Field

from ..config.base import Config
from ..errors import UsageError
from .image_set import ImageSet
from .images.square import Reading
from .normalization import Normalization
from .sampling import Sampling

Advance = Callable[[int], object]


class Progress(Protocol):
    """Opens a progress bar: ``with progress("Decoding images", 50_000) as advance: advance(1)``."""

    def __call__(
        self, description: str, total: int | None, *, unit: str = "items"
    ) -> AbstractContextManager[Advance]:
        """Open a bar of ``total`` steps (None: unknown; unit ``"bytes"`` shows MB and MB/s)."""


def silent(
    description: str, total: int | None, *, unit: str = "items"
) -> AbstractContextManager[Advance]:
    """Show no progress: the default where no screen is asked for."""
    return nullcontext(lambda amount: None)


@dataclass(frozen=True)
class DataAccess:
    """Where datasets lie on this machine, and how slow work is reported."""

    data_dir: Path
    offline: bool = False
    verify: bool = False
    progress: Progress = silent
    notice: Callable[[str], object] = lambda message: None


@dataclass(frozen=True)
class KnownImages:
    """What is known of a dataset without opening an image: its shape (C, H, W), perhaps more.

    class_names: in the order of labels. normalization: as published. None: only the images tell.
    """

    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...] | None = None
    normalization: Normalization | None = None


class DatasetConfig(Config, ABC):
    """Settings of a dataset; each dataset's config sits beside its reader."""

    name: str
    val_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="share of each class that is held out for validation; by content, on average",
    )
    split_seed: int = Field(
        default=0, ge=0, description="seed of the validation split; the same for every run seed"
    )
    split: Literal["content", "position"] = Field(
        default="content",
        description="how images are held out: content, each by its own pixels, whatever others "
        "there are; position, by its place among all, exact in number, as in older runs",
    )
    sampling: Sampling = Field(
        default="natural",
        description="what an epoch trains on: natural, every image once; balanced, as many "
        "images, equally many of each class: of large classes a part, of small ones repeatedly",
    )
    resident: Literal["auto", "device", "host"] = Field(
        default="auto",
        description="where images lie in training: on the device, or on the host (mapped from a "
        "file for a folder); auto: on the device if they fit into 40 % of its free memory",
    )

    def located(self) -> Self:
        """Return these settings with absolute paths, which mean the same from every directory."""
        return self

    def moved_to(self, place: Path | None) -> "DatasetConfig":
        """Return these settings with the images at ``place``; None: where they were.

        Raises UsageError for a dataset that has no files.
        """
        if place is None:
            return self
        for field in ("root", "path"):
            if field in type(self).model_fields:
                return self.model_copy(update={field: place})
        raise UsageError(
            f"--data-root {place}: the dataset {self.name} has no files to look for; leave it out"
        )

    def reading(self, size_px: int) -> Reading:
        """Return how image files become such images, ``size_px`` × ``size_px``."""
        return Reading(size_px)

    def as_read(self, train: ImageSet) -> Self:
        """Return these settings with what the training files decided, for all other files."""
        return self

    @abstractmethod
    def known_images(self) -> KnownImages:
        """Return what a network needs to know of the images, without reading any."""

    @abstractmethod
    def load_train(self, access: DataAccess) -> ImageSet:
        """Load every labelled training image, before the validation split is taken off."""

    def load_val(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet | None:
        """Load the dataset's own validation split; None: it has none, split the training set."""
        return None

    def has_split(self, split: str) -> bool:
        """Tell whether there are images of a split of their own, without opening any."""
        return split != "val"

    @abstractmethod
    def load_test(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet:
        """Load the test split, labelled by position in ``class_names``; training never does.

        It must work where the training files are absent. Raises DataError where the split is
        missing or names a class that ``class_names`` lacks.
        """
