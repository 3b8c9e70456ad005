"""From a class's score back to the pixels and the maps."""

from base64 import b64decode
from typing import Any

import pytest
import torch
from thin_networks import build_used
from torch import nn

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import UsageError
from cnn_train.models.summary import trace_layers
from cnn_train.visualize.attribution import enlarge, grad_cam, saliency
from cnn_train.visualize.layers import find_units, last_map


def unpack(signal: dict[str, Any], *shape: int) -> torch.Tensor:
    levels = torch.frombuffer(bytearray(b64decode(signal["values"])), dtype=torch.int8)
    return levels.view(shape).float() / 127 * signal["limit"]


def same_but_the_largest(found: torch.Tensor, expected: torch.Tensor, limit: float) -> bool:
    return bool((found - expected.clamp(-limit, limit)).abs().max() <= 0.51 * limit / 127)


def test_the_gradient_is_the_slope_at_the_pixels_and_at_each_map(
    explore: Any, ask: Any, images: ImageSet
) -> None:
    model = build_used("vgg16")
    explorer = explore(model)
    answer = ask(explorer, "backward", layers=[2, 46], **{"class": 1, "method": "gradient"})
    inputs_1CHW = explorer.checkpoints.open().trained.normalization(images.images_NCHW[:1])
    slope_HWC = unpack(answer["image"], 32, 32, 3)
    deviation_C = torch.tensor(explorer.checkpoints.open().trained.normalization.std)
    expected_HW = saliency(model, inputs_1CHW, torch.tensor([1]), deviation_C)[0]
    limit = answer["image"]["limit"]
    assert same_but_the_largest(slope_HWC.abs().amax(dim=2), expected_HW, limit)
    layers = list(model.children())
    stem, rest = nn.Sequential(*layers[:3]), nn.Sequential(*layers[3:])
    maps_1CHW = stem(inputs_1CHW).detach().requires_grad_()
    (slope_1CHW,) = torch.autograd.grad(rest(maps_1CHW)[0, 1], maps_1CHW)
    first, last = answer["maps"]
    assert same_but_the_largest(unpack(first, 8, 32, 32), slope_1CHW[0], first["limit"])
    assert unpack(last, 3).tolist() == [0, 1, 0]


def test_cam_is_that_of_visualize(explore: Any, ask: Any, images: ImageSet) -> None:
    model = build_used("resnet20")
    explorer = explore(model)
    answer = ask(explorer, "backward", **{"class": 2, "method": "cam"})
    inputs_1CHW = explorer.checkpoints.open().trained.normalization(images.images_NCHW[:1])
    runs = trace_layers(model, (3, 32, 32))
    units = find_units(runs, str(last_map(runs)))
    map_HW = enlarge(grad_cam(model, units, inputs_1CHW, torch.tensor([2])), (32, 32))[0]
    found_HW, limit = unpack(answer["image"], 32, 32), answer["image"]["limit"]
    assert answer["image"]["channels"] == 1
    assert same_but_the_largest(found_HW, map_HW, limit)


def test_guided_without_a_relu_is_the_gradient_and_with_another_activation_refused(
    explore: Any, ask: Any
) -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    explorer = explore(flat)
    guided = ask(explorer, "backward", **{"class": 0, "method": "guided"})
    gradient = ask(explorer, "backward", **{"class": 0, "method": "gradient"})
    assert guided["image"] == gradient["image"] and "no ReLU" in guided["words"]
    with pytest.raises(UsageError, match="no maps, so there is no Grad-CAM"):
        ask(explorer, "backward", **{"class": 0, "method": "cam"})
    smooth = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(3600, 3))
    with pytest.raises(UsageError, match="defined for ReLU alone"):
        ask(explore(smooth), "backward", **{"class": 0, "method": "guided"})


def test_occlusion_is_0_where_the_score_does_not_look(explore: Any, ask: Any) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    linear = model[1]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.view(3, 3, 32, 32)[:, :, :, 16:] = 0
    answer = ask(explore(model), "backward", **{"class": 1, "method": "occlusion"})
    found_HW = unpack(answer["image"], 32, 32)
    assert found_HW[:, :16].any() and not found_HW[:, 24:].any()
