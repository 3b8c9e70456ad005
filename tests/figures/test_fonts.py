"""Letters that matplotlib's own font lacks: found in an installed font, or said once."""

from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from cnn_train.figures import fonts
from cnn_train.figures.contact_sheet import NAME_FONT, text_width_px
from cnn_train.figures.saving import save_figure

CAT, DOG = "\u732b", "\u72ac"


@pytest.fixture
def squares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a font whose one letter, the Chinese cat, is a black square; return its name."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 1000), (1000, 1000), (1000, 0)):
        pen.lineTo(corner)
    pen.closePath()
    empty, square = TTGlyphPen(None).glyph(), pen.glyph()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "square"])
    font.setupCharacterMap({ord(CAT): "square"})
    font.setupGlyf({".notdef": empty, "square": square})
    font.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 0)})
    font.setupHorizontalHeader(ascent=1000, descent=0)
    font.setupNameTable({"familyName": "Squares", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "squares.ttf")
    manager = font_manager.fontManager
    monkeypatch.setattr(manager, "ttflist", [*manager.ttflist])
    manager.addfont(tmp_path / "squares.ttf")
    fonts.find_fonts.cache_clear()
    yield "Squares"
    fonts.find_fonts.cache_clear()


def draw(text: str) -> Figure:
    figure = Figure((1, 1))
    figure.text(0.5, 0.5, text)
    return figure


def test_an_installed_font_draws_the_letters_that_the_usual_one_lacks(squares, tmp_path):
    assert fonts.find_fonts(f"a{CAT}") == (("sans-serif", squares), "")
    assert save_figure(draw(CAT), tmp_path / "cat.png") == ""
    assert text_width_px(CAT, NAME_FONT) == 19  # 9 points at 150 dots per inch: 18.75


def test_letters_without_a_font_are_told_and_drawn_without_a_warning(squares, tmp_path):
    assert fonts.find_fonts(f"{CAT}{DOG} \u00e9") == (("sans-serif", squares), DOG)
    assert save_figure(draw(f"{DOG}{CAT}"), tmp_path / "dog.png") == DOG
    assert text_width_px(DOG, NAME_FONT) > 0
    said: list[str] = []
    fonts.say_missing("", said.append)
    fonts.say_missing(DOG + CAT + DOG, said.append)
    assert said == [
        f"no installed font has {DOG}{CAT}: boxes are drawn; install one of the Noto fonts"
    ]


def test_usual_letters_need_no_other_font(squares):
    assert fonts.find_fonts("\u00e9t\u00e9 \u2207\u03bb 7") == (("sans-serif",), "")
