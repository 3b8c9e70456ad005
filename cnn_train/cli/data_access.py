"""The terminal's side of reading datasets: its data folder, progress bars and notices."""

from pathlib import Path
from typing import TYPE_CHECKING

from ..data.location import resolve_data_dir
from .console import notice, progress

if TYPE_CHECKING:
    from ..data.dataset import DataAccess


def make_data_access(
    data_dir: Path | None, offline: bool = False, *, verify: bool = False
) -> "DataAccess":
    """Make the access that datasets report through; ``data_dir`` None means the default place."""
    from ..data.dataset import DataAccess

    return DataAccess(resolve_data_dir(data_dir), offline, verify, progress, notice)
