import json

import pytest
import torch
from torch import Tensor, nn

from cnn_train.errors import UsageError
from cnn_train.models import ARCHITECTURES
from cnn_train.models.lenet import LeNet
from cnn_train.models.summary import trace_images
from cnn_train.models.vgg import VGG
from cnn_train.visualize.layer_sums import can_work_out
from cnn_train.visualize.worked_unit import WorkedUnit, work_out, work_out_run

SHAPE = (3, 32, 32)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def only(layer: nn.Module, inputs_1CHW: Tensor, *place: int) -> WorkedUnit:
    """Work out a number of a network of one layer."""
    return work_out(nn.Sequential(layer), "0", inputs_1CHW, *place)


def test_a_3x3_convolution_with_padding_equals_the_sum_made_by_hand() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]]]))
        layer.bias.fill_(0.5)  # type: ignore[union-attr]
    image = torch.tensor([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]]])
    unit = only(layer, image, 0, 0, 1)
    # row 0: 0 0 0 | row 1: 1 2 3 | row 2: 4 5 6 under the filter: 2·1 − 2·3 + 1·4 − 1·6 = −6
    assert unit.terms[0].patch_HW.tolist() == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    assert unit.inside_HW.tolist() == [[False] * 3, [True] * 3, [True] * 3]
    assert (unit.terms[0].total, unit.bias, unit.total, unit.network) == (-6, 0.5, -5.5, -5.5)
    assert (unit.rows, unit.columns) == ((-1, 0, 1), (0, 1, 2))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3),
        nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(4, 6, (3, 2), stride=(1, 2), padding=(2, 1), dilation=(2, 1)),
        nn.Conv2d(4, 6, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 6, 3, padding="same", dilation=2),
        nn.Conv2d(4, 6, 3, padding="valid"),
        nn.Conv2d(4, 6, 3, padding=2, padding_mode="replicate"),
        nn.Conv2d(4, 6, 3, padding=2, padding_mode="circular"),
        nn.Conv2d(4, 6, 3, padding=2, padding_mode="reflect"),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.MaxPool2d(2, stride=2, ceil_mode=True),
        nn.MaxPool2d(2, dilation=2),
        nn.AvgPool2d(3, stride=2, padding=1),
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
        nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True),
        nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),
        nn.AvgPool2d(2, divisor_override=3),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.AdaptiveMaxPool2d((2, 3)),
        nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, affine=False),
        nn.ReLU(),
        nn.GELU(),
    ],
    ids=str,
)
def test_every_number_of_a_layers_output_equals_torchs(layer: nn.Module) -> None:
    inputs = noise(1, 4, 7, 8)
    if isinstance(layer, nn.BatchNorm2d):
        layer(3 + 2 * noise(8, 4, 7, 8, seed=1))  # statistics that are not 0 and 1
    outputs_CHW = layer.eval()(inputs)[0].detach()
    run = trace_images(nn.Sequential(layer), inputs)[0]
    for place in torch.cartesian_prod(*(torch.arange(side) for side in outputs_CHW.shape)).tolist():
        unit = work_out_run([run], run, *place)
        assert unit.total == pytest.approx(float(outputs_CHW[tuple(place)]), abs=2e-6), place
        assert unit.network == float(outputs_CHW[tuple(place)])
        if unit.kind != "activation":
            assert unit.total == pytest.approx(sum(t.total for t in unit.terms) + unit.bias)


def narrow(name: str) -> nn.Module:
    """Build an architecture, as thin as its settings allow."""
    config = ARCHITECTURES[name]
    thin = {"width": 2} if "width" in config.model_fields else {}
    torch.manual_seed(0)
    return config(name=name, **thin).build(10, SHAPE)


@pytest.mark.parametrize(
    "name", ["linear", "hog_linear", "mlp", "lenet", "fastnet", "vgg11", "resnet20", "wide_resnet"]
)
def test_in_the_zoo_one_number_of_each_layer_equals_the_networks(name: str) -> None:
    model, worked = narrow(name), 0
    with torch.no_grad():
        runs = trace_images(model, noise(1, *SHAPE))
    for run in runs:
        if can_work_out(run.module):
            place = [side // 2 for side in run.output.shape[1:]]
            unit = work_out_run(runs, run, *place)
            assert unit.total == pytest.approx(unit.network, rel=1e-4, abs=1e-5), run.name
            worked += 1
    assert worked >= 1


def test_a_fully_connected_layer_adds_up_one_term_for_each_input() -> None:
    model = LeNet(10, SHAPE).eval()
    unit = work_out(model, "fc3", noise(1, *SHAPE), 7)
    assert (unit.kind, unit.input_shape, unit.output_shape) == (
        "fully connected", (400, 1, 1), (120, 1, 1),
    )  # fmt: skip
    flat = nn.Sequential(*list(model.children())[:7])(noise(1, *SHAPE))[0]
    assert [term.total for term in unit.terms] == pytest.approx(
        (flat * model.fc3.weight[7]).tolist(), abs=1e-6
    )
    assert unit.bias == model.fc3.bias[7].item()


def test_max_pooling_names_the_cell_that_wins_and_the_first_of_equal_ones() -> None:
    image = torch.tensor([[[[1.0, 4], [4, 2]]]])
    unit = only(nn.MaxPool2d(2), image, 0, 0, 0)
    assert (unit.winner, unit.total) == ((0, 1), 4)
    negative = only(nn.MaxPool2d(3, padding=1), -image, 0, 0, 0)
    assert negative.total == -1  # the padding does not win


def test_what_follows_is_what_the_next_layers_made_of_the_number() -> None:
    model = VGG(10, SHAPE, width=2).eval()
    inputs = noise(1, *SHAPE)
    unit = work_out(model, "conv1_2", inputs, 1, 5, 0)
    maps, values = inputs, {}
    for name, layer in model.named_children():
        maps = layer(maps)
        values[name] = maps
        if name == "relu1_2":
            break
    assert [one.layer for one in unit.followed_by] == ["bn1_2", "relu1_2"]
    for following in unit.followed_by:
        assert following.value == values[following.layer][0, 1, 5, 0].item()


def test_a_layer_after_channels_last_maps_is_worked_out_where_it_lies() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 5)

        def forward(self, x_BCHW: Tensor) -> Tensor:
            turned: Tensor = self.fc(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            return turned

    model, inputs = Turned(), noise(1, 3, 4, 6)
    unit = work_out(model, "fc", inputs, 4, 3, 5)
    assert unit.output_shape == (5, 4, 6)
    assert unit.total == pytest.approx(model(inputs)[0, 4, 3, 5].item(), abs=1e-6)


def test_the_document_is_plain_json_with_all_that_the_sum_needs() -> None:
    unit = work_out(LeNet(10, SHAPE), "conv1", noise(1, *SHAPE), 2, 3, 4)
    document = json.loads(json.dumps(unit.to_json()))
    products = [torch.tensor(t["patch"]) * torch.tensor(t["filter"]) for t in document["terms"]]
    total = float(torch.stack(products).sum()) + document["bias"]
    assert total == pytest.approx(document["network"], abs=1e-5)
    assert document["window"] == {
        "size": [5, 5], "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "place", "message"),
    [
        ("conv1", (6, 0, 0), "conv1: has no channel 6; choose from 0 to 5"),
        ("conv1", (0, 28, 0), "conv1: has no row 28; choose from 0 to 27"),
        ("conv1", (0, 0, -1), "conv1: has no column -1; choose from 0 to 27"),
        ("fc", (0, 1, 0), "fc: has no row 1; choose from 0 to 0"),
        ("conv3", (0, 0, 0), "--layer conv3: the model has no such layer"),
        ("flatten", (0, 0, 0), "flatten: is a Flatten, which is not worked out"),
    ],
)
def test_what_cannot_be_worked_out_is_refused_in_one_line(
    layer: str, place: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        work_out(LeNet(10, SHAPE), layer, noise(1, *SHAPE), *place)
    assert str(refusal.value).startswith(message)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "layer",
    [nn.ConvTranspose2d(1, 1, 2), nn.Dropout(), nn.BatchNorm2d(1, track_running_stats=False)],
)
def test_other_layers_and_norms_of_the_minibatch_are_refused(layer: nn.Module) -> None:
    with pytest.raises(UsageError, match="which is not worked out; choose a convolution"):
        only(layer, noise(1, 1, 4, 4), 0, 0, 0)
