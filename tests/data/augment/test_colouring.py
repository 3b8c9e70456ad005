import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from cnn_train.data.augment.colouring import Tint

BLACK = (0, 0, 0)


@pytest.mark.parametrize("saturation", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("hue", [0.0, 0.1, 0.5])
def test_saturation_and_hue_equal_torchvisions_up_to_rounding(
    pictures_BCHW: Tensor, saturation: float, hue: float
) -> None:
    tint = Tint(saturation, hue)
    drawn_2B = tint.draw(pictures_BCHW.shape, 4, 0)
    found_BCHW = tint(pictures_BCHW, drawn_2B, BLACK)
    for image, found, (factor, turn) in zip(
        pictures_BCHW, found_BCHW, drawn_2B.T.tolist(), strict=True
    ):
        expected = image.float() / 255  # so that torchvision does not round in between
        if saturation:
            expected = reference.adjust_saturation(expected, 1 + factor)
        if hue:
            expected = reference.adjust_hue(expected, turn)
        assert (found - 255 * expected).abs().max() < 0.51
    assert torch.equal(found_BCHW, pictures_BCHW) == (saturation == hue == 0)
    assert torch.equal(found_BCHW[0], pictures_BCHW[0])  # grey has no colour to change


def test_each_image_draws_its_own_factor_and_turn_evenly() -> None:
    for drawn_N, most in zip(Tint(0.4, 0.1).draw((2000, 3, 4, 4), 0, 0), (0.4, 0.1), strict=True):
        assert drawn_N.abs().max() <= most
        counts = drawn_N.histc(10, -most, most)
        assert ((counts - 200) ** 2 / 200).sum() < 27.9  # 9 degrees of freedom: 99.9% quantile


def test_one_change_of_colour_leaves_the_other_as_it_was() -> None:
    both_2N, alone_2N = (Tint(*most).draw((50, 3, 4, 4), 0, 0) for most in ((0.4, 0.1), (0, 0.1)))
    assert torch.equal(both_2N[1], alone_2N[1])
    assert not alone_2N[0].any()
    assert abs(torch.corrcoef(both_2N)[0, 1]) < 0.4
