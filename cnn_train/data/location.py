"""Where datasets lie on this machine."""

import os
from pathlib import Path

from ..errors import DataError, UsageError

DATA_DIR_VARIABLE = "CNN_TRAIN_DATA"


def resolve_data_dir(option: Path | None) -> Path:
    """Choose the data directory: ``--data-dir``, ``CNN_TRAIN_DATA``, or the user's cache.

    The cache is ``$XDG_CACHE_HOME/cnn-train``, or ``~/.cache/cnn-train`` where that variable is
    unset, empty or relative (the XDG Base Directory Specification says to ignore it then).
    Nothing is created. Raises UsageError where the home directory is unknown.
    """
    xdg_cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    cache = (xdg_cache if xdg_cache.is_absolute() else Path("~/.cache")) / "cnn-train"
    path = Path(option or os.environ.get(DATA_DIR_VARIABLE) or cache)
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise UsageError(
            f"{path}: the home directory is unknown (HOME is not set); "
            f"name a directory with --data-dir or {DATA_DIR_VARIABLE}"
        ) from error


def expand_home(path: Path, setting: str) -> Path:
    """Replace ``~`` in a dataset's path; raise DataError where the home is unknown."""
    try:
        return path.expanduser()
    except RuntimeError as problem:
        raise DataError(
            f"{path}: the home directory is unknown (HOME is not set); write {setting} out"
        ) from problem
