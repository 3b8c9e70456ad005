import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from cnn_train.data.augment.covering import Erasing
from cnn_train.data.augment.rectangles import draw_rectangles

GREY = (90, 120, 150)


def test_an_erased_rectangle_equals_torchvisions(pictures_BCHW: Tensor) -> None:
    erasing = Erasing(0.7, (0.02, 0.33), (0.3, 3.3))
    drawn_4B = erasing.draw(pictures_BCHW.shape, 1, 1)
    erased_BCHW = erasing(pictures_BCHW, drawn_4B, GREY)
    colour = torch.tensor(GREY, dtype=torch.uint8)[:, None, None]
    for image, erased, (top, left, height, width) in zip(
        pictures_BCHW, erased_BCHW, drawn_4B.T.tolist(), strict=True
    ):
        assert torch.equal(erased, reference.erase(image, top, left, height, width, colour))
    assert 0 < (drawn_4B[2] > 0).sum() < len(pictures_BCHW)


def test_so_many_images_are_erased_and_a_rectangle_lies_inside_the_image() -> None:
    shape = (5000, 3, 32, 24)
    top, left, height, width = Erasing(0.25, (0.02, 0.33), (0.3, 3.3)).draw(shape, 0, 0)
    assert abs((height > 0).sum() - 1250) < 138  # 4.5 standard deviations
    assert torch.equal(height > 0, width > 0)
    assert (top + height).max() == 32 and (left + width).max() == 24
    assert height.max() < 32 and width.max() < 24
    assert ((top == 0) & (height > 0)).any() and ((left == 0) & (width > 0)).any()


def test_area_and_shape_of_a_rectangle_are_drawn_evenly_and_evenly_in_the_logarithm() -> None:
    """On a large area nothing is lost to rounding, and no draw leaves it."""
    generator = torch.Generator().manual_seed(0)
    sides = (100_000, 100_000)
    starts_2N, lengths_2N = draw_rectangles(4000, sides, (0.1, 0.3), (0.5, 2), generator).split(2)
    areas_N = lengths_2N.prod(0) / 1e10
    ratios_N = (lengths_2N[0] / lengths_2N[1]).log2()
    free_2N = starts_2N / (100_000 - lengths_2N)
    for values_N, low, high in (
        (areas_N, 0.1, 0.3), (ratios_N, -1, 1), (free_2N[0], 0, 1), (free_2N[1], 0, 1)
    ):  # fmt: skip
        margin = 1e-4 * (high - low)
        counts = values_N.histc(10, low - margin, high + margin)
        assert counts.sum() == 4000
        assert ((counts - 400) ** 2 / 400).sum() < 27.9  # 9 degrees of freedom: 99.9% quantile


def test_no_rectangle_of_a_shape_that_cannot_fit_is_drawn() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn_4N = draw_rectangles(50, (8, 8), (0.9, 0.9), (9, 10), generator)
    assert drawn_4N.tolist() == [[0] * 50] * 4
