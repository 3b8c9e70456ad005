import pytest
import torch

from cnn_train.figures.mistakes import Mistake, draw_mistakes


def mistakes(number: int, channels: int = 3) -> list[Mistake]:
    images = [torch.full((channels, 4, 4), i, dtype=torch.uint8) for i in range(number)]
    return [Mistake(x, f"test/{i}", "cat", "a$b$", "99 %") for i, x in enumerate(images)]


@pytest.mark.parametrize("number", [1, 6, 7, 24])
def test_each_mistake_is_shown_with_both_classes_certainty_and_name(number):
    figure = draw_mistakes(mistakes(number), "Mistakes")
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == number
    for i, axes in enumerate(panels):
        assert axes.images[0].get_array().max() == i
        lines = [text.get_text() for text in axes.texts]
        assert lines == ["cat", "→ a$b$", "99 %", f"test/{i}"]
    figure.draw_without_rendering()


def test_a_grey_image_is_drawn_from_black_to_white():
    image = draw_mistakes(mistakes(1, channels=1), "Mistakes").axes[0].images[0]
    pixels_HWC = image.get_array()
    assert pixels_HWC.shape == (4, 4, 3)
    assert (pixels_HWC == pixels_HWC[:, :, :1]).all()


def test_no_mistakes_are_said_in_words():
    figure = draw_mistakes([], "Mistakes")
    assert [text.get_text() for text in figure.texts] == ["Mistakes", "no mistakes"]
