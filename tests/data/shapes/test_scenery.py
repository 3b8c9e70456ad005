import numpy as np
import pytest

from cnn_train.data.shapes.canvas import Dice, Plane
from cnn_train.data.shapes.scenery import choose_palette


def lightness(srgb: Plane) -> Plane:
    """The cube root of relative luminance (sRGB standard), which is near OKLCH's lightness."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.cbrt((linear * np.array([0.2126, 0.7152, 0.0722]).reshape(1, 3, 1, 1)).sum(axis=1))


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_shapes_colour_always_stands_out_from_the_papers(strength):
    palette = choose_palette(Dice(np.random.default_rng(0), 3000), strength)
    contrast = lightness(palette.ink) - lightness(palette.paper)
    assert np.abs(contrast).min() > 0.2
    assert (contrast < 0).mean() == pytest.approx(min(strength, 0.5), abs=0.03)
