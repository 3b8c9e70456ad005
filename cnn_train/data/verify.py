"""Check a dataset on disk: read every split afresh, past every cache."""

from dataclasses import dataclass, replace

from ..errors import DataError, MissingSplitError
from .dataset import DataAccess, DatasetConfig
from .image_set import ImageSet
from .twins import Twins, find_twins


@dataclass(frozen=True)
class SplitReport:
    """The result for one split; ``problem`` is None where all is well."""

    split: str
    num_images: int
    problem: str | None


def verify_dataset(
    config: DatasetConfig, access: DataAccess, near_bits: int | None = None
) -> tuple[list[SplitReport], list[Twins]]:
    """Read train and, where there are any, val and test again; find what appears in them twice.

    Nothing is downloaded. ``near_bits`` as in find_twins.
    """
    access = replace(access, verify=True, offline=True)
    loaded: dict[str, ImageSet] = {}
    reports = []
    try:
        train = config.load_train(access)
    except DataError as error:
        reports.append(SplitReport("train", 0, str(error)))
        names: tuple[str, ...] = ()
        unchecked = "not checked: the training split, which names the classes, cannot be read"
    else:
        loaded["train"] = train
        reports.append(SplitReport("train", len(train), None))
        config, names, unchecked = config.as_read(train), train.class_names, ""
    for split, load in (("val", config.load_val), ("test", config.load_test)):
        try:
            images = load(access, names)
        except MissingSplitError:
            continue
        except DataError as error:
            reports.append(SplitReport(split, 0, unchecked or str(error)))
            continue
        if images is not None:
            loaded[split] = images
            reports.append(SplitReport(split, len(images), None))
    return reports, list(find_twins(loaded, near_bits))
