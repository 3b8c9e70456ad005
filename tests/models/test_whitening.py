import torch
from torch.nn import functional as F

from cnn_train.models.whitening import EPSILON, Whitening, whitening_filters


def some_images() -> torch.Tensor:
    """Make smooth noise: neighbouring pixels are alike, as in photographs."""
    noise = torch.randn(40, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(noise, 3, stride=1, padding=1)


def test_whitened_patches_are_uncorrelated_with_variances_up_to_one() -> None:
    images_BCHW = some_images()
    filters_DD = whitening_filters(images_BCHW.split(7), kernel_px=2)
    patches_PD = F.unfold(images_BCHW, 2).transpose(1, 2).flatten(0, 1).double()
    whitened_PD = patches_PD @ filters_DD.T
    covariance_DD = whitened_PD.T @ whitened_PD / len(whitened_PD)
    variances_D = torch.linalg.eigvalsh(patches_PD.T @ patches_PD / len(patches_PD))
    expected_DD = (variances_D / (variances_D + EPSILON)).diag()
    torch.testing.assert_close(covariance_DD, expected_DD, rtol=1e-4, atol=1e-4)


def test_every_filter_has_its_negative_and_nothing_is_learned() -> None:
    layer = Whitening(channels=3, kernel_px=2)
    layer.fit([some_images()])
    maps_BCHW = layer(some_images())
    assert maps_BCHW.shape == (40, 24, 11, 11)
    torch.testing.assert_close(maps_BCHW[:, :12], -maps_BCHW[:, 12:])
    assert [parameter.requires_grad for parameter in layer.parameters()] == [False]


def test_it_makes_no_difference_in_which_pieces_the_images_come() -> None:
    whole, in_pieces = (whitening_filters(some_images().split(size), 2) for size in (40, 3))
    torch.testing.assert_close(in_pieces.abs(), whole.abs(), rtol=1e-4, atol=1e-4)
