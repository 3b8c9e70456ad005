"""Every method on every kind of network: pages, documents and pictures; the network unchanged."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.errors import CheckpointError, UsageError
from cnn_train.figures.gallery import Section
from cnn_train.models import ARCHITECTURES
from cnn_train.models.fastnet import FastNet
from cnn_train.models.linear import LinearClassifier
from cnn_train.models.mlp import MLP
from cnn_train.models.resnet import ResNet
from cnn_train.models.vgg import VGG
from cnn_train.page import Page, aligned
from cnn_train.visualize import show_attribution
from cnn_train.visualize.methods import METHODS
from cnn_train.visualize.request import Request, Subjects
from cnn_train.visualize.show_attribution import peak_of
from cnn_train.visualize.show_maps import scale_of

MakeRequest = Callable[..., Request]
SHAPE = (3, 32, 32)
THIN: dict[str, dict[str, Any]] = {
    "MLPConfig": {"hidden_sizes": (8,)},
    "FastNetConfig": {"widths": (4, 4, 8, 8), "activation": "gelu"},
    "VGGConfig": {"width": 4},
    "CifarResNetConfig": {"width": 2},
    "ResNetConfig": {"width": 2},
    "WideResNetConfig": {"depth": 10, "width": 1},
    "MobileNetV2Config": {"width_multiplier": 0.1},
    "DenseNetConfig": {"growth": 2},
    "TorchvisionConfig": {"architecture": "shufflenet_v2_x0_5"},
}
ONE_OF_EACH_FAMILY = {config: name for name, config in reversed(ARCHITECTURES.items())}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    config_type = ARCHITECTURES[name]
    return config_type(name=name, **THIN.get(config_type.__name__, {})).build(3, SHAPE)


def check(page: Page) -> None:
    """Draw the picture, and require a page whose rows fit its columns and a valid document."""
    json.dumps(page.document, allow_nan=False)
    assert page.blocks
    for block in page.blocks:
        assert all(len(row) == len(block.columns) for row in block.rows)
    assert page.draw().axes


REFUSED = {
    "linear": {"cam", "guided", "deconv"},  # no ReLU, so no rule
    "hog_linear": {"guided", "deconv"},
    "mlp": {"cam"},
    "fastnet": {"guided", "deconv"},  # its activation is GELU here
}


@pytest.mark.parametrize("name", ONE_OF_EACH_FAMILY.values())
def test_methods_work_on_every_family_of_networks_and_leave_it_as_it_was(
    name: str, make_request: MakeRequest
) -> None:
    model = build(name)
    request = make_request(model, num_images=4, num_points=3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    trainable = [parameter.requires_grad for parameter in model.parameters()]
    for method in ("maps", "top-patches", "guided", "saliency", "cam", "embedding",
                   "loss-surface"):  # fmt: skip
        if method in REFUSED.get(name, ()):
            with pytest.raises(UsageError, match=f"visualize {method}"):
                METHODS[method].show(request)
        else:
            check(METHODS[method].show(request))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert [parameter.requires_grad for parameter in model.parameters()] == trainable
    assert all(parameter.grad is None for parameter in model.parameters())
    for module in model.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks and not module.training


def test_the_network_is_unhooked_even_where_a_method_fails(make_request: MakeRequest) -> None:
    model = FastNet(3, SHAPE, widths=(2, 2, 2, 2), activation="gelu")
    with pytest.raises(UsageError, match="GELU"):
        METHODS["guided"].show(make_request(model, layers=("stage2.conv",)))
    assert not any(module._forward_hooks for module in model.modules())


def test_top_patches_document_tells_where_each_patch_lies(make_request: MakeRequest) -> None:
    request = make_request(VGG(3, SHAPE, width=2), layers=("conv2_1",), channels=(3, 1))
    (layer,) = METHODS["top-patches"].show(request).document["layers"]
    assert (layer["measured_at"], layer["num_channels"]) == ("relu2_1", 4)
    assert (layer["map_size"], layer["receptive_field_px"]) == ([16, 16], [10, 10])
    assert [channel["channel"] for channel in layer["channels"]] == [3, 1]
    for channel in layer["channels"]:
        activations = [patch["activation"] for patch in channel["patches"]]
        assert activations == sorted(activations, reverse=True)
        assert all(activation > 0 for activation in activations)
        for patch in channel["patches"]:  # two convolutions of padding 1, a pooling and one more
            assert patch["window_px"] == [2 * patch["row"] - 4, 2 * patch["column"] - 4, 10, 10]
            assert patch["image"] in request.subjects.names


def test_dead_channels_are_counted_and_named(make_request: MakeRequest) -> None:
    model = VGG(3, SHAPE, width=4)
    with torch.no_grad():
        model.bn1_1.bias[[0, 2]] = -1000.0
    page = METHODS["guided"].show(make_request(model, layers=("conv1_1", "pool1")))
    assert page.document["layers"][0]["dead_channels"] == [0, 2]
    assert page.blocks[0].lines == ("2 of 4 channels dead (never active) on 12 images: 0, 2",)
    assert page.document["layers"][1]["dead_channels"] is None
    assert page.blocks[1].lines == ("pool1 is no ReLU: dead channels are not counted",)
    titles = [text.get_text() for text in page.draw().axes[0].texts]
    assert any("2 never active" in title for title in titles)
    assert titles.count("never active") == 2


def test_signals_may_be_drawn_without_the_images_that_they_come_from(
    make_request: MakeRequest,
) -> None:
    both, alone = (
        METHODS["guided"].show(make_request(VGG(3, SHAPE, width=2), signals_only=only)).draw()
        for only in (False, True)
    )
    titles = [text.get_text() for text in alone.axes[0].texts]
    assert titles[1].startswith("channel ")
    assert "guided gradients" not in titles
    assert len(alone.axes[0].texts) < len(both.axes[0].texts)


def test_channels_with_the_same_images_come_last(make_request: MakeRequest) -> None:
    """Channels 0, 1 and 3 are one filter at three strengths, and 2 is its negative."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.Flatten(), nn.Linear(4096, 3))
    sizes = torch.tensor([1.0, 2.0, -0.1, 3.0])
    model[0].weight.data = sizes[:, None, None, None].expand(4, 3, 1, 1).clone()
    request = make_request(model, num_images=40, layers=("0",), num_channels=3)
    page = METHODS["top-patches"].show(request)
    (layer,) = page.document["layers"]
    assert [channel["channel"] for channel in layer["channels"]] == [3, 2, 1]
    assert any("comes after all others" in line for line in page.blocks[0].lines)
    named = METHODS["top-patches"].show(make_request(model, layers=("0",), channels=(0, 1)))
    assert not any("comes after all others" in line for line in named.blocks[0].lines)


@pytest.mark.parametrize("method", ["saliency", "cam", "occlusion"])
def test_a_class_that_is_named_is_explained_instead_of_the_predicted_one(
    method: str, make_request: MakeRequest
) -> None:
    model = VGG(3, SHAPE, width=2)
    own = METHODS[method].show(make_request(model, num_images=2)).document["images"]
    assert [image["explained"] for image in own] == [image["predicted"] for image in own]
    named = METHODS[method].show(make_request(model, num_images=2, label="class 1"))
    assert [image["explained"] for image in named.document["images"]] == ["class 1"] * 2
    check(named)


def test_occlusion_covers_windows_of_the_chosen_size(make_request: MakeRequest) -> None:
    model = LinearClassifier(3, (3, 8, 8))
    page = METHODS["occlusion"].show(make_request(model, (3, 8, 8), num_images=1, window_px=1))
    (image,) = page.document["images"]
    assert "1 × 1 px" in page.document["what"]
    label = int(image["explained"].removeprefix("class "))
    request = make_request(model, (3, 8, 8), num_images=1)
    templates_KCHW = model.fc.weight.detach().view(3, 3, 8, 8)
    expected_HW = (templates_KCHW[label] * request.inputs()[0]).sum(dim=0)
    assert torch.allclose(torch.tensor(image["map"]), expected_HW, atol=1e-6)
    assert image["peak"] == list(divmod(int(expected_HW.argmax()), 8))


def test_a_linear_models_filters_are_named_by_class(make_request: MakeRequest) -> None:
    page = METHODS["filters"].show(make_request(LinearClassifier(3, SHAPE)))
    assert [item["name"] for item in page.document["filters"]] == ["class 0", "class 1", "class 2"]
    check(page)
    units = METHODS["filters"].show(make_request(MLP(3, SHAPE, hidden_sizes=(70,))))
    assert len(units.document["filters"]) == 64
    assert "the 10 largest of 70" in units.blocks[0].lines
    check(units)


def test_the_default_map_of_a_cam_is_the_last_one_of_4_by_4_units_or_else_the_last(
    make_request: MakeRequest,
) -> None:
    coarse = nn.Sequential(
        nn.Conv2d(3, 2, 16, 16), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2, 3)
    )
    for model, layer in ((VGG(3, SHAPE, width=2), "relu4_3, 4 × 4"), (coarse, "1, 2 × 2"),
                         (ResNet(3, SHAPE, width=2), "stage4.1.relu2, 4 × 4")):  # fmt: skip
        page = METHODS["cam"].show(make_request(model, num_images=1))
        assert layer in page.document["what"]


def test_a_cam_of_zeros_is_said_in_words(make_request: MakeRequest) -> None:
    model = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 3))
    nn.init.constant_(model[3].weight, -1.0)
    page = METHODS["cam"].show(make_request(model, num_images=2, layers=("1",)))
    assert page.blocks[0].lines == ("nothing there speaks for the class (a map of zeros): 2 of 2",)
    check(page)


@pytest.mark.parametrize(
    ("method", "choices", "message"),
    [
        ("maps", {"channels": (16,)}, "--channel 16: the layer has the channels 0 to 1"),
        ("maps", {"layers": ("convx",)}, "--layer convx"),
        ("cam", {"layers": ("fc",)}, "--layer fc: has no map"),
        ("cam", {"layers": ("conv1_1", "conv1_2")}, "name one --layer"),
        ("cam", {"label": "cow"}, "--class cow: the model knows class 0, class 1, class 2"),
        ("occlusion", {"window_px": 33}, "--window 33: the image's side is 32 px"),
        ("filters", {"layers": ("conv1_2",)}, "only conv1_1 reads pixels"),
        ("embedding", {"num_images": 1}, "one image makes no map"),
    ],
)
def test_a_choice_that_cannot_be_is_named(
    method: str, choices: dict[str, Any], message: str, make_request: MakeRequest
) -> None:
    with pytest.raises(UsageError, match=message):
        METHODS[method].show(make_request(VGG(3, SHAPE, width=2), **choices))


def test_images_are_taken_evenly_from_a_set_that_is_sorted_by_class(
    make_images: Callable[..., Any],
) -> None:
    images = make_images(30)
    ordered = images.select(images.labels_N.argsort(stable=True))
    assert Subjects.of(ordered, 3).labels == ("class 0", "class 1", "class 2")
    assert len(Subjects.of(ordered, 100)) == 30


def test_weights_that_are_not_finite_are_refused(make_request: MakeRequest) -> None:
    model = LinearClassifier(3, SHAPE)
    nn.init.constant_(model.fc.bias, torch.nan)
    with pytest.raises(CheckpointError, match=r"not finite \(NaN\)"):
        make_request(model)


def test_numbers_of_a_column_have_equally_many_decimals() -> None:
    assert aligned([12.345, -1.0, 0.0]) == ["12.3", "−1.0", "0.0"]
    assert aligned([0.0123, 0.5e-3]) == ["0.0123", "0.0005"]
    assert aligned([1234.5, 1.0]) == ["1234", "1"]
    assert aligned([0.0]) == ["0.00"]
    assert aligned([]) == []


def test_a_rule_without_any_relu_to_act_on_is_refused(make_request: MakeRequest) -> None:
    request = make_request(LinearClassifier(3, SHAPE))
    for method in ("guided", "deconv"):
        with pytest.raises(UsageError, match=f"visualize {method}: no ReLU lies between the pix"):
            METHODS[method].show(request)


def test_a_layer_below_every_relu_is_said_to_show_the_true_gradient(
    make_request: MakeRequest,
) -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 2, 1), nn.MaxPool2d(4), nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(128, 3),
    )  # fmt: skip
    below, above = METHODS["guided"].show(make_request(model, layers=("0", "2"))).blocks
    assert any("true gradient" in line for line in below.lines)
    assert not any("true gradient" in line for line in above.lines)


def test_channels_that_are_scores_have_the_names_of_their_classes(
    make_request: MakeRequest,
) -> None:
    for method in ("maps", "top-patches"):
        page = METHODS[method].show(make_request(LinearClassifier(3, SHAPE), num_images=2))
        words = [text.get_text() for text in page.draw().axes[0].texts]
        assert any(word.startswith("class 2") for word in words)
        assert not any(word.startswith("channel") for word in words)
        assert {"class 0", "class 1", "class 2"} & {
            cell for row in page.blocks[0].rows for cell in row
        }


def test_a_colour_bar_that_ends_below_the_largest_activation_says_so() -> None:
    values = torch.linspace(0, 1, 1000)
    assert scale_of(values).cuts == (False, True)
    assert scale_of(-values).cuts == (True, False)
    assert scale_of(torch.ones(9)).cuts == (False, False)


def test_the_peak_of_a_plateau_is_in_its_middle() -> None:
    map_HW = torch.zeros(8, 8)
    map_HW[2:5, 3:6] = 1 - 1e-8 * torch.rand(3, 3)
    assert peak_of(map_HW) == (3, 4)
    map_HW[7, 0] = 2
    assert peak_of(map_HW) == (7, 0)
    assert peak_of(torch.zeros(3, 3)) == (1, 1)


def test_a_colour_bar_of_maps_that_are_cut_says_so(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections: list[Section] = []
    monkeypatch.setattr(show_attribution, "draw_gallery", lambda drawn, _: sections.extend(drawn))
    METHODS["saliency"].show(make_request(VGG(3, SHAPE, width=2), num_images=2)).draw()
    (scale,) = (section.scale for section in sections if section.scale)
    assert scale.cuts == (False, True)  # the largest half percent is cut off
