"""Check a dataset on disk: read every split afresh, past every cache."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import DataError, MissingSplitError
from .dataset import DataAccess, DatasetConfig
from .image_set import ImageSet


@dataclass(frozen=True)
class SplitReport:
    """The result for one split; ``problem`` is None where all is well."""

    split: str
    num_images: int
    problem: str | None


def verify_dataset(config: DatasetConfig, access: DataAccess) -> list[SplitReport]:
    """Read train and, where there are any, val and test again; nothing is downloaded."""
    access = replace(access, verify=True, offline=True)
    try:
        train = config.load_train(access)
    except DataError as error:
        unchecked = "not checked: the training split, which names the classes, cannot be read"
        others = [replace(each, problem=unchecked) for each in _others(config, access, ())]
        return [SplitReport("train", 0, str(error)), *others]
    return [SplitReport("train", len(train), None), *_others(config, access, train.class_names)]


def _others(
    config: DatasetConfig, access: DataAccess, class_names: tuple[str, ...]
) -> list[SplitReport]:
    """Report on the splits that there are besides the training images."""
    reports = (
        _report("val", lambda: config.load_val(access, class_names)),
        _report("test", lambda: config.load_test(access, class_names)),
    )
    return [report for report in reports if report is not None]


def _report(split: str, load: Callable[[], ImageSet | None]) -> SplitReport | None:
    try:
        images = load()
    except MissingSplitError:
        return None
    except DataError as error:
        return SplitReport(split, 0, str(error))
    return None if images is None else SplitReport(split, len(images), None)
