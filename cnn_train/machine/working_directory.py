"""Spell a place as a user who stands in the working directory would."""

from pathlib import Path


def from_here(path: Path) -> Path:
    """Return the real place of ``path``: relative where that is below the working directory."""
    place = path.resolve()
    try:
        here = Path.cwd().resolve()
    except OSError:  # it was removed
        return place
    return place.relative_to(here) if here in place.parents else place
