import os

import pytest
from matplotlib.figure import Figure
from PIL import Image

from cnn_train.errors import UsageError
from cnn_train.figures.saving import DOTS_PER_INCH, save_figure


def small_figure() -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], label="a line")
    figure.axes[0].legend()
    return figure


def test_a_png_has_the_figures_size_and_opens(tmp_path):
    save_figure(small_figure(), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (2 * DOTS_PER_INCH, DOTS_PER_INCH))


def test_the_suffix_chooses_svg_in_any_case(tmp_path):
    save_figure(small_figure(), tmp_path / "a.SVG")
    assert "<svg" in (tmp_path / "a.SVG").read_text()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_equal_figures_give_equal_bytes_and_nothing_else_is_left(tmp_path, suffix):
    first, second = tmp_path / f"1{suffix}", tmp_path / f"2{suffix}"
    save_figure(small_figure(), first)
    save_figure(small_figure(), second)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_neither_time_nor_versions_are_written(tmp_path, suffix):
    save_figure(small_figure(), tmp_path / f"a{suffix}")
    content = (tmp_path / f"a{suffix}").read_bytes()
    assert b"Matplotlib" not in content and b"dc:date" not in content


@pytest.mark.parametrize("name", ["a.jpeg", "a", ".png"])
def test_another_ending_is_refused_and_named(tmp_path, name):
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        save_figure(small_figure(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no directory .*plots"):
        save_figure(small_figure(), tmp_path / "plots" / "a.png")


def test_a_directory_without_write_permission_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UsageError, match="may not write into"):
        save_figure(small_figure(), tmp_path / "a.png")
