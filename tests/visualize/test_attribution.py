import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnn_train.models.lenet import LeNet
from cnn_train.models.linear import LinearClassifier
from cnn_train.models.summary import trace_layers
from cnn_train.models.vgg import VGG
from cnn_train.visualize.attribution import enlarge, grad_cam, occlusion, saliency, window_positions
from cnn_train.visualize.layers import find_units

SHAPE = (3, 32, 32)


def images(number: int = 4, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.randn(number, *shape, generator=torch.Generator().manual_seed(0))


def test_saliency_of_a_linear_model_is_the_size_of_its_weights() -> None:
    model = LinearClassifier(5, (3, 6, 4)).eval()
    class_B = torch.tensor([0, 3, 3, 4])
    templates_KCHW = model.fc.weight.detach().view(5, 3, 6, 4)
    expected_BHW = templates_KCHW[class_B].abs().amax(dim=1)
    found_BHW = saliency(model, images(4, (3, 6, 4)), class_B, torch.ones(3))
    assert torch.equal(found_BHW, expected_BHW)


def test_saliency_is_the_slope_by_the_pixels_themselves_not_by_the_networks_inputs() -> None:
    """Against finite differences of raw pixels, each colour of which has its own deviation."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    mean_C11, deviation_C = torch.tensor([0.4, 0.5, 0.6])[:, None, None], torch.tensor([1, 0.2, 3])
    pixels_BCHW, step = torch.rand(1, 3, 2, 2, dtype=torch.float64), 1e-6

    def score(shift: float, index: int) -> float:
        moved_BCHW = pixels_BCHW.clone()
        moved_BCHW.view(-1)[index] += shift
        return network((moved_BCHW - mean_C11) / deviation_C[:, None, None])[0, 1].item()

    slopes = [(score(step, i) - score(-step, i)) / (2 * step) for i in range(12)]
    expected_BHW = torch.tensor(slopes, dtype=torch.float64).view(1, 3, 2, 2).abs().amax(dim=1)
    inputs_BCHW = (pixels_BCHW - mean_C11) / deviation_C[:, None, None]
    found_BHW = saliency(network.eval(), inputs_BCHW, torch.tensor([1]), deviation_C)
    assert torch.allclose(found_BHW, expected_BHW, rtol=1e-6)


def test_grad_cam_equals_its_formula_worked_by_hand() -> None:
    """Two maps A of 2 × 2, scores s = Σ G·A: α is the mean of G over its map."""
    model = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.Flatten(), nn.Linear(8, 2, bias=False))
    model[0].weight.data = torch.eye(2)[:, :, None, None]
    weights = [[4.0, 0, 0, 0, -1, -1, -1, -1], [0.0, 0, 0, 0, 4, 0, 0, 0]]
    model[2].weight.data = torch.tensor(weights)
    units = find_units(trace_layers(model, (2, 2, 2)), "0")
    maps_CHW = torch.tensor([[[1.0, 2.0], [3.0, 0.0]], [[2.0, 0.0], [1.0, 5.0]]])
    # class 0: α = (1, −1), so A₁ − A₂ = ((−1, 2), (2, −5)); class 1: α = (0, 1), so A₂.
    images_BCHW = torch.stack((maps_CHW, maps_CHW))
    cam_Bhw = grad_cam(model.eval(), units, images_BCHW, torch.tensor([0, 1]))
    assert cam_Bhw.tolist() == [[[0.0, 2.0], [2.0, 0.0]], [[2.0, 0.0], [1.0, 5.0]]]


def test_grad_cam_equals_captums() -> None:
    captum: Any = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    model = VGG(10, SHAPE, width=4).eval()
    units = find_units(trace_layers(model, SHAPE), "conv3_2")
    class_B = torch.tensor([1, 5, 9, 0])
    method = captum.LayerGradCam(model, model.relu3_2)
    oracle = method.attribute(images(), class_B, relu_attributions=True)
    ours_Bhw = grad_cam(model, units, images(), class_B)
    assert ours_Bhw.count_nonzero() > 50
    assert torch.allclose(ours_Bhw, oracle[:, 0], atol=1e-7)


def test_an_enlarged_map_keeps_its_mean_and_its_order() -> None:
    map_Bhw = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    enlarged_BHW = enlarge(map_Bhw, (32, 32))
    assert enlarged_BHW.mean().item() == pytest.approx(1.5)
    corners = enlarged_BHW[0, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == [0.0, 1.0, 2.0, 3.0]


class OnePixel(nn.Module):
    """Scores 2 x and −x of the pixel in row 5, column 2."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        pixel_B = images_BCHW[:, 0, 5, 2]
        return torch.stack((2 * pixel_B, -pixel_B), dim=1)


def test_covering_single_pixels_finds_the_one_that_a_net_looks_at() -> None:
    image_CHW = images(1, (1, 8, 8))[0]
    expected_HW = torch.zeros(8, 8)
    expected_HW[5, 2] = -image_CHW[0, 5, 2]  # the drop of class 1
    map_HW = occlusion(OnePixel().eval(), image_CHW, 1, window_px=1, stride_px=1)
    assert torch.equal(map_HW, expected_HW)


def test_a_pixels_value_is_the_mean_drop_of_the_windows_that_cover_it() -> None:
    """Of the nine 3 × 3 windows over a pixel, those that also cover the net's pixel count."""
    image_CHW = torch.ones(1, 8, 8)
    map_HW = occlusion(OnePixel().eval(), image_CHW, 0, window_px=3, stride_px=1)
    near_8 = [[max(0, 3 - abs(i - centre)) / 3 for i in range(8)] for centre in (5, 2)]
    expected_HW = 2 * torch.tensor(near_8[0])[:, None] * torch.tensor(near_8[1])
    assert torch.allclose(map_HW, expected_HW)


@pytest.mark.parametrize(("window_px", "stride_px"), [(1, 1), (4, 2), (8, 2), (6, 3), (5, 2)])
def test_all_pixels_are_covered_about_equally_often(window_px: int, stride_px: int) -> None:
    covers_MHW = window_positions(torch.Size((20, 14)), window_px, stride_px)
    times_HW = covers_MHW.sum(dim=0)
    assert int(times_HW.min()) == (window_px // stride_px) ** 2
    assert int(times_HW.max()) == math.ceil(window_px / stride_px) ** 2
    assert covers_MHW.flatten(1).any(dim=1).all()


def test_occlusion_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = LeNet(3, SHAPE).eval()
    whole_HW = occlusion(model, images(1)[0], 2, window_px=8, stride_px=4)
    monkeypatch.setattr("cnn_train.visualize.attribution.WINDOWS_AT_ONCE", 7)
    pieces_HW = occlusion(model, images(1)[0], 2, window_px=8, stride_px=4)
    assert torch.allclose(whole_HW, pieces_HW, atol=1e-6)
