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


def test_cam_is_of_the_last_maps_that_show_where_something_is(explore: Any, ask: Any) -> None:
    answer = ask(explore(build_used("vgg16")), "backward", **{"class": 1, "method": "cam"})
    assert "relu4_3 (4×4)" in answer["words"]
    tiny = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 3)
    )
    answer = ask(explore(tiny), "backward", **{"class": 1, "method": "cam"})
    assert "of 1 (2×2)" in answer["words"]


def test_what_maps_add_to_a_score_is_their_part_of_its_sum(
    explore: Any, ask: Any, images: ImageSet
) -> None:
    convolution, linear = nn.Conv2d(3, 5, 5, stride=3), nn.Linear(5 * 10 * 10, 3)
    model = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), linear)
    explorer = explore(model)
    inputs_1CHW = explorer.checkpoints.open().trained.normalization(images.images_NCHW[:1])
    with torch.no_grad():
        maps_Chw = convolution(inputs_1CHW)[0].relu()
        scores_K = model(inputs_1CHW)[0]
    for against in (None, 2):
        weight_D = linear.weight[1] - (0 if against is None else linear.weight[against])
        bias = float((linear.bias[1] - (0 if against is None else linear.bias[against])).detach())
        share_Chw = (weight_D.view(5, 10, 10) * maps_Chw).detach()
        answer = ask(explorer, "speakers", layer=0, against=against, **{"class": 1})
        expected_C = share_Chw.sum(dim=(1, 2))
        order = expected_C.argsort(descending=True).tolist()
        assert [one["channel"] for one in answer["maps"]] == [*order[:3], order[-1]]
        for one in answer["maps"]:
            share_hw, sign = share_Chw[one["channel"]], 1 if one["sum"] >= 0 else -1
            assert one["sum"] == pytest.approx(float(share_hw.sum()), abs=1e-5)
            assert sign * share_hw[one["row"], one["column"]] == (sign * share_hw).max()
        score = scores_K[1] - (0 if against is None else scores_K[against])
        assert answer["score"] == pytest.approx(float(score), abs=1e-5)
        assert answer["sum"] + bias == pytest.approx(answer["score"], abs=1e-5)
    with pytest.raises(UsageError, match="choose from 0 to 2"):
        ask(explorer, "speakers", layer=0, against=3, **{"class": 1})


def test_what_maps_add_is_gradient_times_value_wherever_they_are(
    explore: Any, ask: Any, images: ImageSet
) -> None:
    model = build_used("vgg16")
    explorer = explore(model)
    answer = ask(explorer, "speakers", layer=2, against=0, **{"class": 1})
    inputs_1CHW = explorer.checkpoints.open().trained.normalization(images.images_NCHW[:1])
    layers = list(model.children())
    maps_1CHW = nn.Sequential(*layers[:3])(inputs_1CHW).detach().requires_grad_()
    scores_K = nn.Sequential(*layers[3:])(maps_1CHW)[0]
    (slope_1CHW,) = torch.autograd.grad(scores_K[1] - scores_K[0], maps_1CHW)
    sum_C = (slope_1CHW * maps_1CHW).detach().sum(dim=(0, 2, 3))
    found = {one["channel"]: one["sum"] for one in answer["maps"]}
    assert found == pytest.approx({channel: float(sum_C[channel]) for channel in found}, rel=1e-4)
    assert max(found.values()) == pytest.approx(float(sum_C.max()), rel=1e-4)


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


def test_a_cover_leaves_what_the_covered_image_gets(
    explore: Any, ask: Any, images: ImageSet
) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    explorer = explore(model)
    covers = ask(explorer, "backward", **{"class": 1, "method": "occlusion"})["covers"]
    inputs_1CHW = explorer.checkpoints.open().trained.normalization(images.images_NCHW[:1])
    covered_1CHW = inputs_1CHW.clone()
    covered_1CHW[:, :, 8:16, 4:12] = 0
    with torch.no_grad():
        scores_2K = model(torch.cat([inputs_1CHW, covered_1CHW]))
    before, after = scores_2K.double().softmax(dim=1)[:, 1].tolist()
    place = covers["places"].index([8, 4, 8, 8])
    assert covers["before"] == pytest.approx(before)
    assert covers["left"][place] == pytest.approx(after)
    assert covers["predicted"][place] == int(scores_2K[1].argmax())
    assert covers["places"][0] == [0, 0, 4, 4]  # the first cover begins beyond the corner
