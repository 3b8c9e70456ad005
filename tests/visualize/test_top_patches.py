import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cnn_train.models.fastnet import FastNet
from cnn_train.models.receptive_field import ReceptiveField
from cnn_train.models.summary import trace_layers
from cnn_train.models.vgg import VGG
from cnn_train.visualize.layers import Units, find_units, unit_maps
from cnn_train.visualize.top_patches import Window, crop, find_places, window_of

SHAPE = (3, 32, 32)


def units_of(model: nn.Module, layer: str) -> Units:
    return find_units(trace_layers(model, SHAPE), layer)


def images(number: int = 40) -> Tensor:
    return torch.randn(number, *SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layer", ["conv1_1", "conv3_2", "conv5_3", "fc"])
def test_the_strongest_places_are_the_true_argmax_over_all_images(layer: str) -> None:
    torch.manual_seed(1)
    model = VGG(10, SHAPE, width=2).eval()
    units = units_of(model, layer)
    places = find_places(model, [units], torch.split(images(), 7))[layer]
    maps_NCHW = unit_maps(model, [units], images())[layer].detach()
    per_image_NC = maps_NCHW.flatten(2).amax(dim=2)
    assert torch.allclose(places.values_CP, per_image_NC.T.sort(descending=True).values[:, :9])
    for channel in range(units.num_channels):
        for p in range(9):
            where = (places.image_CP[channel, p], channel,
                     places.row_CP[channel, p], places.column_CP[channel, p])  # fmt: skip
            assert torch.isclose(maps_NCHW[where], places.values_CP[channel, p], atol=1e-6)
    assert torch.equal(places.num_active_C, (per_image_NC > 0).sum(dim=0))
    assert places.num_images == 40


def test_fewer_images_than_places_give_one_place_each() -> None:
    model = VGG(10, SHAPE, width=2).eval()
    places = find_places(model, [units_of(model, "conv1_1")], [images(4)])["conv1_1"]
    assert places.values_CP.shape == (2, 4)
    assert sorted(places.image_CP[0].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        (VGG(10, SHAPE, width=4), "conv1_2"),
        (VGG(10, SHAPE, width=4), "conv2_2"),
        (VGG(10, SHAPE, width=4), "pool2"),
        (FastNet(10, SHAPE, widths=(4, 4, 4, 4), stem="strided", stem_kernel_px=6), "stage1.conv"),
        (FastNet(10, SHAPE, widths=(4, 4, 4, 4), stem="whitening"), "stage1.conv"),
        (FastNet(10, SHAPE, widths=(4, 4, 4, 4), stem="space_to_depth"), "stage1.bn"),
    ],
)
def test_only_the_pixels_of_the_window_decide_the_activation(model: nn.Module, layer: str) -> None:
    """Zeroing all others changes nothing; changing any row or column at its rim does."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.01, 0.1)  # positive weights: every pixel of it counts
    model.double().eval()
    units = units_of(model, layer)
    image_1CHW = images(1).double().abs() + 1
    maps_CHW = unit_maps(model, [units], image_1CHW)[layer][0]
    for row in range(0, units.map_size[0], 3):
        for column in range(0, units.map_size[1], 3):
            window = window_of(units.field, row, column, SHAPE[1:])
            rows = slice(max(window.top, 0), window.top + window.height)
            columns = slice(max(window.left, 0), window.left + window.width)
            only_1CHW = torch.zeros_like(image_1CHW)
            only_1CHW[:, :, rows, columns] = image_1CHW[:, :, rows, columns]
            alone_CHW = unit_maps(model, [units], only_1CHW)[layer][0]
            assert torch.allclose(alone_CHW[:, row, column], maps_CHW[:, row, column])


def test_every_pixel_at_the_rim_of_a_window_counts() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 2, 3, padding=1), nn.AvgPool2d(2), nn.Conv2d(2, 2, 3, padding=1)
    )
    for parameter in model.parameters():
        nn.init.constant_(parameter, 0.1)
    units = units_of(model.eval(), "2")
    pixels_1CHW = torch.ones(1, *SHAPE, requires_grad=True)
    maps_CHW = unit_maps(model, [units], pixels_1CHW)["2"][0]
    window = window_of(units.field, 7, 9, SHAPE[1:])
    (slope_1CHW,) = torch.autograd.grad(maps_CHW[0, 7, 9], pixels_1CHW)
    reached = slope_1CHW[0].abs().sum(dim=0).nonzero()
    assert reached.amin(dim=0).tolist() == [window.top, window.left]
    size_px = reached.amax(dim=0) - reached.amin(dim=0) + 1
    assert size_px.tolist() == [window.height, window.width]


def test_a_field_as_long_as_the_image_shows_the_image_itself() -> None:
    field = ReceptiveField(size_px=(40, 10), jump_px=(4, 4), start_px=(-18, -3))
    assert window_of(field, 2, 5, (32, 32)) == Window(0, 17, 32, 10)
    flat = ReceptiveField(size_px=(3, 3), axes=())
    assert window_of(flat, 0, 0, (32, 24)) == Window(0, 0, 32, 24)


@given(st.integers(-6, 10), st.integers(-6, 10), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_a_crop_holds_the_images_pixels_inside_and_the_fill_outside(
    top: int, left: int, height: int, width: int
) -> None:
    image_CHW = torch.arange(1, 3 * 8 * 9 + 1).view(3, 8, 9)
    if not (-height < top < 8 and -width < left < 9):
        return  # a unit always sees some pixel
    patch_CHW = crop(image_CHW, Window(top, left, height, width), outside=-1)
    for y in range(height):
        for x in range(width):
            inside = 0 <= top + y < 8 and 0 <= left + x < 9
            expected = image_CHW[:, top + y, left + x].tolist() if inside else [-1, -1, -1]
            assert patch_CHW[:, y, x].tolist() == expected
