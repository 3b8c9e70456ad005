"""Fonts with the letters that matplotlib's own font lacks, such as Chinese and Japanese ones."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from ..errors import JOINERS, visible

NO_FONTS = ("cm", "last resort")
"""How the names of fonts begin that have other signs than they say, or boxes."""

MOST_LETTERS_SAID = 20


@cache
def _letters_of(path: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (RuntimeError, OSError):  # a font of pictures, or removed meanwhile
        return frozenset()


@cache
def find_fonts(text: str) -> tuple[tuple[str, ...], str]:
    """Return font families for the letters of ``text``, the usual one first, and what none has."""
    usual = _letters_of(str(findfont(FontProperties())))
    lacking = {ord(letter) for letter in text if not letter.isspace()} - usual
    families = list(rcParams["font.family"])
    installed = {
        font.name: font.fname
        for font in fontManager.ttflist
        if font.style == "normal" and not font.name.lower().startswith(NO_FONTS)
    }
    while lacking and installed:
        best = max(sorted(installed), key=lambda name: len(lacking & _letters_of(installed[name])))
        found = lacking & _letters_of(installed.pop(best))
        if not found:
            break
        families.append(best)
        lacking -= found
    return tuple(families), "".join(map(chr, sorted(lacking)))


def provide_fonts(figure: Figure) -> str:
    """Give every text of a figure, made visible, its fonts; return the letters that none has."""
    missing = set()
    for text in figure.findobj(Text):
        text.set_text(JOINERS.sub("", visible(text.get_text())))  # few fonts have them
        if not text.get_text().isascii():
            families, without = find_fonts(text.get_text())
            text.set_fontfamily(families)
            missing |= set(without)
    return "".join(sorted(missing))


def say_missing(letters: str, notice: Callable[[str], object]) -> None:
    """Say once which letters of some pictures have no font, and what helps; "": say nothing."""
    if letters:
        some = "".join(sorted(set(letters))[:MOST_LETTERS_SAID])
        notice(f"no installed font has {some}: boxes are drawn; install one of the Noto fonts")


@contextmanager
def boxes_tolerated() -> Iterator[None]:
    """Draw letters without a font as boxes, and silently: they are said at once and in words."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from font")
        yield
