"""The worked sum of any unit is the network's own number."""

from typing import Any

import pytest
import torch
from thin_networks import build_used
from torch import nn
from torch.nn import functional as F

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import UsageError


@pytest.mark.parametrize("name", ["lenet", "vgg16", "resnet20", "wide_resnet", "torchvision"])
def test_the_worked_sum_of_every_kind_of_layer_is_the_networks_own_number(
    name: str, explore: Any, ask: Any
) -> None:
    explorer = explore(build_used(name))
    kinds: dict[str, int] = {}
    for index, layer in enumerate(explorer.page()["layers"]):
        kinds[layer["kind"]] = kinds.get(layer["kind"], 0) + 1
        if not layer["unit"] or kinds[layer["kind"]] > 3:
            continue
        channels, height, width = layer["shape"]
        place = {"channel": channels - 1, "row": height // 2, "column": width - 1}
        unit = ask(explorer, "unit", layer=index, **place)
        assert unit["total"] == pytest.approx(unit["network"], rel=2e-4, abs=2e-5), layer["name"]
    assert {"convolution", "linear", "activation"} <= kinds.keys()


def test_the_terms_of_a_convolution_add_up_and_the_largest_comes_first(
    explore: Any, ask: Any, images: ImageSet
) -> None:
    model = build_used("lenet")
    explorer = explore(model)
    unit = ask(explorer, "unit", layer=3, channel=5, row=2, column=7)
    sizes = [abs(term["sum"]) for term in unit["terms"]]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 6
    assert sum(term["sum"] for term in unit["terms"]) + unit["bias"] == pytest.approx(unit["total"])
    normalized = explorer.checkpoints.open().trained.normalization(images.images_NCHW[:1])
    with torch.no_grad():
        maps_BCHW = F.max_pool2d(F.relu(model.conv1(normalized)), 2)
        expected = float(model.conv2(maps_BCHW)[0, 5, 2, 7])
    assert unit["network"] == pytest.approx(expected, rel=1e-6)
    reads = {"layer": 2, "opens": 2, "top": 2, "left": 7, "height": 5, "width": 5}
    assert unit["sources"] == reads
    assert unit["followed_by"] == [{"name": "act2", "value": pytest.approx(max(0, expected))}]
    assert unit["field"] == {"top": 4, "left": 14, "height": 14, "width": 14}


def test_the_first_layers_terms_are_the_colours_of_a_patch_that_may_leave_the_image(
    explore: Any, ask: Any
) -> None:
    unit = ask(explore(build_used("vgg16")), "unit", layer=0, channel=0, row=0, column=0)
    assert {term["name"] for term in unit["terms"]} == {"red", "green", "blue"}
    assert unit["terms"][0]["inside"][0] == [False] * 3
    place = {"top": -1, "left": -1, "height": 3, "width": 3}
    assert unit["sources"] == {"layer": -1, "opens": None, **place}


def test_a_fully_connected_layers_largest_products_and_the_rest_add_up(
    explore: Any, ask: Any
) -> None:
    explorer = explore(build_used("lenet"))
    (index,) = (i for i, one in enumerate(explorer.page()["layers"]) if one["name"] == "fc3")
    unit = ask(explorer, "unit", layer=index, channel=1)
    assert len(unit["terms"]) == 12 and unit["rest"]["count"] == 400 - 12
    listed = sum(term["value"] * term["weight"] for term in unit["terms"])
    assert listed + unit["rest"]["sum"] + unit["bias"] == pytest.approx(unit["network"], rel=1e-5)
    first = unit["terms"][0]
    channel, place = divmod(first["index"], 25)
    assert first["name"] == f"flatten {channel} ({place // 5}, {place % 5})"


def test_poolings_and_batch_norms_tell_what_they_read(explore: Any, ask: Any) -> None:
    explorer = explore(build_used("vgg16"))
    norm = ask(explorer, "unit", layer=1, channel=2, row=3, column=4)
    by_hand = norm["gamma"] * (norm["input"] - norm["mean"]) / norm["deviation"] + norm["beta"]
    assert by_hand == pytest.approx(norm["network"], rel=1e-5, abs=1e-6)
    pool = ask(explorer, "unit", layer=6, channel=2, row=3, column=4)
    row, column = pool["winner"]
    assert pool["patch"][row][column] == max(map(max, pool["patch"])) == pool["network"]


def test_what_no_layer_made_has_no_source_and_what_is_no_sum_is_refused(
    explore: Any, ask: Any
) -> None:
    explorer = explore(build_used("resnet20"))
    names = [layer["name"] for layer in explorer.page()["layers"]]
    unit = ask(explorer, "unit", layer=names.index("stage1.0.relu2"), channel=0, row=0, column=0)
    assert unit["sources"]["layer"] is None
    with pytest.raises(UsageError, match=r"stage1\.0: its numbers are not worked out"):
        ask(explorer, "unit", layer=names.index("stage1.0"))
    with pytest.raises(UsageError, match="has no channel 4; choose from 0 to 3"):
        ask(explorer, "unit", layer=0, channel=4)
    with pytest.raises(UsageError, match="layer 999: the network has the layers 0 to "):
        ask(explorer, "unit", layer=999)


def test_a_number_that_is_changed_in_place_afterwards_is_shown_as_it_was(
    explore: Any, ask: Any, images: ImageSet
) -> None:
    class Adding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            y_BCHW: torch.Tensor = self.conv(x_BCHW)
            y_BCHW += 100
            return y_BCHW

    torch.manual_seed(0)
    model = nn.Sequential(Adding(), nn.Flatten(), nn.Linear(3 * 32 * 32, 3))
    explorer = explore(model)
    unit = ask(explorer, "unit", layer=0, channel=1, row=4, column=4)
    assert unit["total"] == pytest.approx(unit["network"], rel=1e-5) and abs(unit["total"]) < 50
    conv, block = ask(explorer, "look", layers=[0, 1])["maps"]
    assert conv["most"] < 50 < block["least"]


def test_a_layer_of_maps_whose_channels_come_last_is_worked_out_too(explore: Any, ask: Any) -> None:
    class Mixing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(3, 4)

        def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
            mixed: torch.Tensor = self.mix(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return mixed

    torch.manual_seed(0)
    model = nn.Sequential(Mixing(), nn.Flatten(), nn.Linear(4 * 32 * 32, 3))
    explorer = explore(model)
    assert explorer.page()["layers"][0]["shape"] == [4, 32, 32]
    unit = ask(explorer, "unit", layer=0, channel=3, row=5, column=9)
    assert unit["total"] == pytest.approx(unit["network"], rel=1e-5)


def test_what_a_number_reads_leads_to_the_layer_that_made_it(explore: Any, ask: Any) -> None:
    lenet, resnet = explore(build_used("lenet")), explore(build_used("resnet20"))
    assert ask(lenet, "unit", layer=0)["sources"]["opens"] is None  # it reads the image
    names = {layer["name"]: i for i, layer in enumerate(lenet.page()["layers"])}
    assert ask(lenet, "unit", layer=names["fc3"])["sources"]["opens"] == names["pool2"]
    names = {layer["name"]: i for i, layer in enumerate(resnet.page()["layers"])}
    reads = ask(resnet, "unit", layer=names["stage1.1.conv1"])["sources"]
    assert reads["layer"] == names["stage1.0"]
    assert reads["opens"] == names["stage1.0.relu2"]
    assert ask(resnet, "unit", layer=names["stage1.0.relu2"])["sources"]["opens"] is None  # a sum


def test_what_a_residual_block_adds_up_is_told(explore: Any, ask: Any) -> None:
    resnet = explore(build_used("resnet20"))
    names = {layer["name"]: i for i, layer in enumerate(resnet.page()["layers"])}
    for block, other in (("stage1.0", "relu1"), ("stage1.1", "stage1.0"), ("stage2.0", None)):
        index = names[f"{block}.relu2"]
        unit = ask(resnet, "unit", layer=index, channel=2, row=3, column=4)
        first, second = unit["added"]
        assert first["value"] + second["value"] == pytest.approx(unit["input"], rel=1e-5, abs=1e-6)
        names_added = {first["name"], second["name"]}
        assert names_added == {f"{block}.bn2", other or f"{block}.shortcut"}
    assert ask(resnet, "unit", layer=names["relu1"])["added"] == []
    wide = explore(build_used("wide_resnet"))
    names = {layer["name"]: i for i, layer in enumerate(wide.page()["layers"])}
    unit = ask(wide, "unit", layer=names["stage1.1.bn1"], channel=2, row=3, column=4)
    assert {one["name"] for one in unit["added"]} <= {
        "stage1.0.conv2",
        "stage1.0.projection",
        "conv1",
    }
    assert sum(one["value"] for one in unit["added"]) == pytest.approx(unit["input"], rel=1e-5)
