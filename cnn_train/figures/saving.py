"""Save a drawn figure to disk."""

import io
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from ..errors import UsageError
from ..machine.atomic_file import check_writable, write_atomically
from .fonts import boxes_tolerated, provide_fonts

DOTS_PER_INCH = 150

_CHANGING_METADATA: dict[str, dict[str, str | None]] = {
    ".png": {"Software": None},
    ".svg": {"Creator": None, "Date": None},
}
"""By suffix: the versions and times that matplotlib would write; None leaves them out."""

OTHER_PICTURES = (".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".pdf", ".eps", ".ps")
"""Other endings that name a picture and no directory."""


def save_figure(figure: Figure, path: Path) -> str:
    """Write ``figure`` as PNG or SVG, by the path's suffix, whole or not at all.

    Return the letters that no font has: say them. Equal figures give equal bytes under one version
    of matplotlib. Raises UsageError for another suffix and where the directory is missing or not
    writable, ResourceError where the disk is full.
    """
    check_figure_path(path)
    content, missing = render_figure(figure, path.suffix.lower())
    write_atomically(path, content)
    return missing


def render_figure(figure: Figure, suffix: str) -> tuple[bytes, str]:
    """Return the figure as ``.png`` or ``.svg``, and the letters that no font has."""
    content = io.BytesIO()
    missing = provide_fonts(figure)
    # without the salt, the ids inside an SVG are random
    with rc_context({"svg.hashsalt": "cnn-train"}), boxes_tolerated():
        figure.savefig(
            content, format=suffix[1:], dpi=DOTS_PER_INCH, metadata=_CHANGING_METADATA[suffix]
        )
    return content.getvalue(), missing


def shows_images(figure: Figure) -> bool:
    """Whether pixels are part of the figure, so that lines would not make it smaller or sharper."""
    return any(axes.images for axes in figure.axes)


def is_figure_path(path: Path) -> bool:
    """Whether the path's ending names a format that figures are saved in."""
    return path.suffix.lower() in _CHANGING_METADATA


def is_picture_name(path: Path) -> bool:
    """Whether the path's ending names a picture, also of a format that is not written here."""
    return is_figure_path(path) or path.suffix.lower() in OTHER_PICTURES


def check_figure_path(path: Path) -> None:
    """Refuse early, with UsageError, a path that :func:`save_figure` could not write to."""
    if not is_figure_path(path):
        raise UsageError(f"{path}: figures are saved as .png or .svg; change the file's ending")
    check_writable(path)
