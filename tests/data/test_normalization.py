import pytest
import torch

from cnn_train.data.normalization import Normalization


def random_images() -> torch.Tensor:
    """Make 50 images whose three channels differ in mean and spread."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(50, 3, 7, 5, generator=generator)
    scale, offset = torch.tensor([200.0, 100, 30]), torch.tensor([20.0, 0, 220])
    return (images * scale[:, None, None] + offset[:, None, None]).to(torch.uint8)


def test_mean_and_deviation_equal_torchs_over_all_pixels_in_float64() -> None:
    images = random_images()
    measured = Normalization.of(images)
    reference = images.double() / 255
    assert measured.mean == pytest.approx(reference.mean((0, 2, 3)).tolist(), abs=1e-12)
    expected = reference.std((0, 2, 3), correction=0).tolist()
    assert measured.std == pytest.approx(expected, abs=1e-12)


def test_the_deviation_is_not_the_mean_of_per_image_deviations() -> None:
    black_and_white = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None]
    measured = Normalization.of(black_and_white.expand(2, 1, 4, 4))
    assert (measured.mean, measured.std) == ((0.5,), (0.5,))  # each image alone deviates by 0


def test_normalised_images_have_mean_zero_and_deviation_one() -> None:
    images = random_images()
    normalised = Normalization.of(images)(images).double()
    assert normalised.mean((0, 2, 3)).abs().max() < 1e-5
    assert (normalised.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_a_channel_of_one_colour_becomes_zero_rather_than_nan() -> None:
    grey = torch.full((4, 1, 3, 3), 77, dtype=torch.uint8)
    normalised = Normalization.of(grey)(grey)
    assert normalised.abs().max() < 1e-4


def test_the_mean_level_is_the_mean_colour_as_bytes() -> None:
    assert Normalization((0.4914, 0.4822, 0.4465), (1, 1, 1)).mean_level == (125, 123, 114)


def test_light_multiplies_and_then_shifts_each_image_once_it_is_normalised() -> None:
    images = random_images()
    normalization = Normalization.of(images)
    before = images.clone()
    factor, summand = torch.rand(2, len(images), generator=torch.Generator().manual_seed(1))
    lit = normalization(images, (factor, summand))
    expected = normalization(images) * factor[:, None, None, None] + summand[:, None, None, None]
    torch.testing.assert_close(lit, expected, rtol=0, atol=1e-5)
    assert lit.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)


def test_the_images_given_stay_as_they_are() -> None:
    images = random_images()
    before = images.clone()
    Normalization.of(images)(images)
    assert torch.equal(images, before)
