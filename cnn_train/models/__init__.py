"""The model zoo: every architecture's settings by the name that configs use."""

from .architecture import ArchitectureConfig
from .densenet import DenseNetConfig
from .fastnet import FastNetConfig
from .hog_linear import HogLinearConfig
from .lenet import LeNetConfig
from .linear import LinearConfig
from .mlp import MLPConfig
from .mobilenet_v2 import MobileNetV2Config
from .resnet import CifarResNetConfig, ResNetConfig
from .torchvision_models import TorchvisionConfig
from .vgg import VGGConfig
from .wide_resnet import WideResNetConfig

ARCHITECTURES: dict[str, type[ArchitectureConfig]] = {
    "linear": LinearConfig,
    "hog_linear": HogLinearConfig,
    "mlp": MLPConfig,
    "lenet": LeNetConfig,
    "fastnet": FastNetConfig,
    "vgg11": VGGConfig,
    "vgg13": VGGConfig,
    "vgg16": VGGConfig,
    "vgg19": VGGConfig,
    "resnet20": CifarResNetConfig,
    "resnet32": CifarResNetConfig,
    "resnet44": CifarResNetConfig,
    "resnet56": CifarResNetConfig,
    "resnet110": CifarResNetConfig,
    "resnet18": ResNetConfig,
    "resnet34": ResNetConfig,
    "resnet50": ResNetConfig,
    "wide_resnet": WideResNetConfig,
    "mobilenet_v2": MobileNetV2Config,
    "densenet121": DenseNetConfig,
    "torchvision": TorchvisionConfig,
}
