import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cnn_train.acceleration import winograd
from cnn_train.acceleration.winograd import WinogradConvolution, saves_time


def random(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


def results(convolve, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the maps and the gradients with respect to the input and the filters."""
    y = convolve(x, weight)
    return (y.detach(), *torch.autograd.grad(y, (x, weight), random(*y.shape, dtype=y.dtype)))


def directly(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x, weight, padding=1)


SIZES = [(4, 4), (8, 12), (1, 1), (3, 5), (7, 6), (9, 4)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_maps_and_both_gradients_are_those_of_torch(height: int, width: int) -> None:
    x, weight = random(3, 4, height, width).requires_grad_(), random(5, 4, 3, 3).requires_grad_()
    expected = results(directly, x, weight)
    torch.testing.assert_close(results(WinogradConvolution.apply, x, weight), expected)


def test_a_minibatch_may_be_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = random(5, 4, 6, 6).requires_grad_(), random(3, 4, 3, 3).requires_grad_()
    expected = results(directly, x, weight)
    monkeypatch.setattr(winograd, "NUMBERS_AT_ONCE", 2 * 36 * 4 * 4)  # two images at a time
    pieces = winograd.pieces(5, 4, winograd.Tiles(6, 6))
    assert list(pieces) == [slice(0, 2), slice(2, 4), slice(4, 6)]
    torch.testing.assert_close(results(WinogradConvolution.apply, x, weight), expected)


def test_any_memory_order_will_do_and_the_result_is_channels_last() -> None:
    weight = random(4, 4, 3, 3)
    x = random(2, 4, 8, 8)
    y = WinogradConvolution.apply(x, weight)
    last = torch.channels_last
    assert y.is_contiguous(memory_format=last)
    assert torch.equal(y, WinogradConvolution.apply(x.to(memory_format=last), weight))


def test_the_result_may_be_changed_in_place() -> None:
    x, weight = random(2, 4, 8, 8), random(4, 4, 3, 3).requires_grad_()
    F.relu(WinogradConvolution.apply(x, weight), inplace=True).sum().backward()
    in_place, weight.grad = weight.grad, None
    F.relu(directly(x, weight)).sum().backward()
    torch.testing.assert_close(in_place, weight.grad)


def test_only_the_gradients_that_are_asked_for_are_computed() -> None:
    x, weight = random(2, 4, 8, 8), random(4, 4, 3, 3).requires_grad_()
    (WinogradConvolution.apply(x, weight) ** 2).sum().backward()
    only_weight = weight.grad
    x.requires_grad_()
    weight = weight.detach()
    (WinogradConvolution.apply(x, weight) ** 2).sum().backward()
    assert only_weight is not None
    assert x.grad is not None
    assert weight.grad is None


def test_in_float32_rounding_errors_are_a_few_millionths_of_the_values() -> None:
    x, weight = random(4, 64, 16, 16), random(64, 64, 3, 3) / 24
    exact = results(directly, x.requires_grad_(), weight.requires_grad_())
    found = results(
        WinogradConvolution.apply,
        x.detach().float().requires_grad_(),
        weight.detach().float().requires_grad_(),
    )
    for approximate, right in zip(found, exact, strict=True):
        assert (approximate - right).norm() / right.norm() < 5e-6


def test_it_is_taken_where_it_saves_time() -> None:
    taken = {
        "resnet18, first maps": (128, 64, 64, 32, True),
        "resnet18, last maps": (128, 512, 512, 4, True),
        "fastnet": (2000, 256, 256, 7, True),
        "few maps": (128, 24, 64, 32, False),
        "tiles overhang": (128, 256, 256, 5, False),
        "maps below a tile": (128, 512, 512, 2, False),
        "few tiles": (8, 512, 512, 4, False),
        "large images": (2, 64, 64, 2048, False),
        "large filters": (128, 2048, 2048, 8, False),
    }
    for name, (num_images, channels, filters, side, expected) in taken.items():
        x = torch.empty(num_images, channels, side, side, device="meta")
        weight = torch.empty(filters, channels, 3, 3, device="meta")
        assert saves_time(x, weight) == expected, name
        assert not saves_time(x.double(), weight.double()), name
        assert not saves_time(x, weight.repeat(1, 1, 2, 2)[:, :, :5, :5]), name
