import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cnn_train.errors import UsageError
from cnn_train.models.fastnet import FastNet
from cnn_train.models.hog_linear import HogLinear
from cnn_train.models.linear import LinearClassifier
from cnn_train.models.mlp import MLP
from cnn_train.models.summary import trace_layers
from cnn_train.models.vgg import VGG
from cnn_train.visualize.show_filters import Filters, first_filters

SHAPE = (3, 32, 32)


def filters_of(model: nn.Module) -> Filters:
    return first_filters(trace_layers(model, SHAPE), SHAPE)


def test_the_filters_are_the_first_convolutions_weights() -> None:
    model = VGG(10, SHAPE, width=4)
    filters = filters_of(model)
    assert (filters.layer, filters.are_templates) == ("conv1_1", False)
    assert torch.equal(filters.weights_KCHW, model.conv1_1.weight)


def test_a_template_times_the_image_is_the_score_of_its_class() -> None:
    model = LinearClassifier(10, SHAPE)
    filters, image_CHW = filters_of(model), torch.randn(SHAPE)
    assert filters.are_templates
    scores_K = (filters.weights_KCHW * image_CHW).sum(dim=(1, 2, 3)) + model.fc.bias
    assert torch.allclose(scores_K, model(image_CHW[None])[0], atol=1e-5)


def test_the_first_layer_of_a_perceptron_has_pictures_too_but_no_classes() -> None:
    filters = filters_of(MLP(10, SHAPE, hidden_sizes=(7,)))
    assert (filters.weights_KCHW.shape, filters.are_templates) == ((7, *SHAPE), False)


def test_blocks_of_pixels_that_became_channels_are_turned_back() -> None:
    model = FastNet(10, SHAPE, widths=(4, 4, 4, 4), stem="space_to_depth")
    filters, image_1CHW = filters_of(model), torch.randn(1, *SHAPE)
    assert filters.weights_KCHW.shape == (4, 3, 6, 6)
    expected = model.stage1.conv(model.unshuffle(image_1CHW))
    ours = F.conv2d(image_1CHW, filters.weights_KCHW, stride=2, padding=2)
    assert torch.allclose(ours, expected, atol=1e-5)


def test_weights_that_read_no_pixels_are_refused() -> None:
    model = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(768, 2))
    with pytest.raises(UsageError, match="does not read the image's pixels"):
        filters_of(model)


def test_filters_that_were_fixed_by_hand_are_refused_for_that_reason() -> None:
    with pytest.raises(UsageError, match="sobel reads the pixels, and its weights are fixed"):
        filters_of(HogLinear(10, SHAPE))
