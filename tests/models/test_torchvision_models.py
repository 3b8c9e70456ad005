import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torchvision.models import get_model

from cnn_train.errors import ConfigError
from cnn_train.models.torchvision_models import TorchvisionConfig

ONE_OF_EACH_FAMILY = [
    "alexnet", "convnext_tiny", "densenet121", "googlenet", "mnasnet0_5", "mobilenet_v3_small",
    "regnet_y_400mf", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1", "vgg11",
]  # fmt: skip


@pytest.mark.parametrize("architecture", ONE_OF_EACH_FAMILY)
def test_each_family_takes_small_grey_images(architecture: str) -> None:
    with torch.device("meta"):
        model = TorchvisionConfig(architecture=architecture).build(7, (1, 32, 32))
        assert model.training
        assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 7)
    stem = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    assert stem.stride == (1, 1)
    assert not [module for module in model.modules() if getattr(module, "inplace", False)]


def test_the_adapted_resnet18_is_the_zoos_own() -> None:
    model = TorchvisionConfig(architecture="resnet18").build(10, (3, 32, 32))
    assert isinstance(model.maxpool, nn.Identity)
    assert sum(parameter.numel() for parameter in model.parameters()) == 11_173_962


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v2", "densenet121"])
def test_the_original_stem_is_torchvisions_own(architecture: str) -> None:
    torch.manual_seed(0)
    theirs = get_model(architecture, num_classes=10).eval()
    ours = TorchvisionConfig(architecture=architecture, stem="original").build(10, (3, 64, 64))
    ours.load_state_dict(theirs.state_dict())
    images_BCHW = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        # close, not equal: strided 1×1 convolutions are computed another way and round otherwise
        torch.testing.assert_close(ours.eval()(images_BCHW), theirs(images_BCHW))


def test_the_original_stem_takes_grey_images_too() -> None:
    with torch.device("meta"):
        model = TorchvisionConfig(architecture="resnet18", stem="original").build(7, (1, 64, 64))
    stem = model.conv1
    assert (stem.in_channels, stem.kernel_size, stem.stride) == (1, (7, 7), (2, 2))
    assert isinstance(model.maxpool, nn.MaxPool2d)


def test_a_stem_that_fits_already_is_left_alone() -> None:
    with torch.device("meta"):
        model = TorchvisionConfig(architecture="vgg11").build(10, (3, 32, 32))
    kinds = [type(module) for module in model.features[:3]]
    assert kinds == [nn.Conv2d, nn.ReLU, nn.MaxPool2d]


@pytest.mark.parametrize("architecture", ["vit_b_16", "swin_t", "maxvit_t", "inception_v3"])
def test_networks_made_for_large_images_are_refused(architecture: str) -> None:
    with pytest.raises(ValidationError, match=f"{architecture} cannot be adapted"):
        TorchvisionConfig(architecture=architecture)


def test_an_unknown_network_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValidationError, match="'resnet180'; did you mean 'resnet18'"):
        TorchvisionConfig(architecture="resnet180")


def test_images_too_small_for_the_network_are_refused_without_a_traceback() -> None:
    too_small = pytest.raises(ConfigError, match="vgg11 cannot take images of 3×16×16")
    with torch.device("meta"), too_small:
        TorchvisionConfig(architecture="vgg11").build(10, (3, 16, 16))
