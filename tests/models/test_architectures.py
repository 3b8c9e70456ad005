"""What every architecture of the table promises; a new entry is tested by existing."""

import copy
import math
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from cnn_train.checks.slopes import Objective, check_gradient
from cnn_train.errors import ConfigError
from cnn_train.losses import LOSSES
from cnn_train.models import ARCHITECTURES
from cnn_train.models.summary import is_layer

# name -> parameters for ten classes of 3×32×32, with the default settings
LITERATURE = {
    "linear": 30_730,  # the lecture: 10 · 3072 + 10
    "hog_linear": 7 * 7 * 4 * 9 * 10 + 10,  # blocks of 2×2 cells of 4×4 pixels, nine directions
    "mlp": 3072 * 512 + 512 + 512 * 256 + 256 + 256 * 10 + 10,
    "lenet": 62_006,  # LeNet-5 of the PyTorch tutorial, three input channels
    "vgg11": 9_228_362,
    "vgg13": 9_413_066,
    "vgg16": 14_724_042,
    "vgg19": 20_035_018,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
    "resnet18": 11_173_962,
    "resnet34": 21_282_122,
    "resnet50": 23_520_842,
    "wide_resnet": 36_479_194,
    "mobilenet_v2": 2_236_682,
    "densenet121": 6_956_298,
}
TOO_SMALL_PX = {
    "lenet": 15,
    "fastnet": 15,
    "vgg16": 31,
    "resnet20": 3,
    "resnet18": 7,
    "wide_resnet": 3,
    "mobilenet_v2": 7,
    "densenet121": 7,
}

every_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def draw_images(num_images: int = 4, shape: tuple[int, int, int] = (3, 32, 32)) -> Tensor:
    return torch.randn(num_images, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", LITERATURE)
def test_parameters_agree_with_the_literature(name: str) -> None:
    with torch.device("meta"):
        model = ARCHITECTURES[name](name=name).build(10, (3, 32, 32))
    assert num_parameters(model) == LITERATURE[name]


def test_every_architecture_but_the_open_ended_ones_has_its_count_checked() -> None:
    assert set(ARCHITECTURES) - set(LITERATURE) == {"fastnet", "torchvision"}


@every_architecture
def test_every_image_gets_one_score_per_class_whatever_its_shape(
    name: str, build_thin: Any
) -> None:
    shape = (1, 48, 40)
    scores_BK = build_thin(name, num_classes=7, image_shape=shape).eval()(draw_images(2, shape))
    assert scores_BK.shape == (2, 7)
    assert scores_BK.dtype == torch.float32


@every_architecture
def test_bfloat16_weights_give_finite_bfloat16_scores(name: str, build_thin: Any) -> None:
    scores_BK = build_thin(name).to(torch.bfloat16).eval()(draw_images(2).to(torch.bfloat16))
    assert scores_BK.dtype == torch.bfloat16
    assert scores_BK.isfinite().all()


@every_architecture
def test_training_starts_near_chance_level(name: str, build_thin: Any) -> None:
    scores_BK = build_thin(name).train()(draw_images(16))
    loss = F.cross_entropy(scores_BK, torch.arange(16) % 10)
    assert loss.item() == pytest.approx(math.log(10), abs=0.25)


@every_architecture
def test_in_eval_mode_scores_do_not_depend_on_the_rest_of_the_batch(
    name: str, build_thin: Any
) -> None:
    model, images_BCHW = build_thin(name).eval(), draw_images()
    together_BK = model(images_BCHW)
    alone_BK = torch.cat([model(image_CHW[None]) for image_CHW in images_BCHW])
    torch.testing.assert_close(alone_BK, together_BK, rtol=1e-4, atol=1e-5)


@every_architecture
def test_no_layer_works_in_place(name: str, build_thin: Any) -> None:
    assert not [m for m in build_thin(name).modules() if getattr(m, "inplace", False)]


@every_architecture
def test_every_layer_runs_exactly_once_per_forward_pass(name: str, build_thin: Any) -> None:
    model = build_thin(name)
    layers = {layer_name: m for layer_name, m in model.named_modules() if is_layer(m)}
    calls: Counter[str] = Counter()
    for layer_name, layer in layers.items():
        layer.register_forward_hook(lambda *_, layer_name=layer_name: calls.update([layer_name]))
    model(draw_images())
    assert calls == dict.fromkeys(layers, 1)


@every_architecture
def test_the_gradient_reaches_every_parameter(name: str, build_thin: Any) -> None:
    model = build_thin(name)
    F.cross_entropy(model(draw_images()), torch.arange(4)).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


@every_architecture
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_the_slope_of_the_loss(name: str, loss: str, build_thin: Any) -> None:
    """In a few tensors spread over the depth, others for each loss."""
    side_px = 32 if name.startswith("vgg") else 16
    model = build_thin(name, num_classes=3, image_shape=(3, side_px, side_px)).double()
    images_BCHW = draw_images(4, (3, side_px, side_px)).double()
    loss_fn = LOSSES[loss]().build()
    objective = Objective(
        lambda: model(images_BCHW), lambda scores_BK: loss_fn(scores_BK, torch.tensor([0, 1, 2, 1]))
    )
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    some = dict(named[list(LOSSES).index(loss) :: max(2, len(named) // 3)])
    found = list(check_gradient(objective, some, samples=2, generator=torch.Generator()))
    assert [check.name for check in found if not check.passed] == []
    assert any(check.judged for check in found)


class Smooth(TorchFunctionMode):
    """While active, no activation and no pooling has a kink.

    At a kink, two sums that differ in their last digit may take different sides: with ReLU, deep
    networks differ by a few per cent (ResNet-50), on any library. Without kinks only rounding and
    faults are left.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in (F.relu, torch.relu, F.hardtanh, F.hardswish):
            return F.silu(args[0])
        if func is F.max_pool2d:
            return F.avg_pool2d(*args[:4], ceil_mode=(kwargs or {}).get("ceil_mode", False))
        return func(*args, **(kwargs or {}))


@every_architecture
def test_narrow_networks_have_the_gradients_of_float64(name: str, build_thin: Any) -> None:
    """In float32 and channels_last, as `fit` trains on a CPU, against float64 and NCHW."""
    model = build_thin(name).train()
    images_BCHW, labels_B = draw_images(8), torch.arange(8)

    def gradient(model: nn.Module, images_BCHW: Tensor) -> Tensor:
        torch.manual_seed(0)  # for dropout
        with Smooth():
            scores_BK = model(images_BCHW)
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        gradients = torch.autograd.grad(F.cross_entropy(scores_BK, labels_B), weights)
        return torch.cat([each.flatten() for each in gradients]).double()

    expected = gradient(copy.deepcopy(model).double(), images_BCHW.double())
    model.to(memory_format=torch.channels_last)
    found = gradient(model, images_BCHW.to(memory_format=torch.channels_last))
    assert (found - expected).norm() <= 2e-4 * expected.norm()  # seen: 5e-5 (resnet110)


@every_architecture
def test_a_saved_state_restores_the_same_scores(name: str, build_thin: Any) -> None:
    model, other, images_BCHW = build_thin(name), build_thin(name, seed=1), draw_images()
    model(images_BCHW)  # moves the running statistics away from their start
    assert not torch.equal(model.eval()(images_BCHW), other.eval()(images_BCHW))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(images_BCHW), other(images_BCHW))


@every_architecture
def test_channels_last_changes_speed_not_scores(name: str, build_thin: Any) -> None:
    model, images_BCHW = build_thin(name).eval(), draw_images()
    contiguous_BK = model(images_BCHW)
    model.to(memory_format=torch.channels_last)
    channels_last_BK = model(images_BCHW.to(memory_format=torch.channels_last))
    torch.testing.assert_close(channels_last_BK, contiguous_BK, rtol=1e-4, atol=1e-5)


@every_architecture
def test_eight_images_are_learned_by_heart(name: str, build_thin: Any) -> None:
    model, images_BCHW = build_thin(name).train(), draw_images(8)
    labels_B = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(40):
        scores_BK = model(images_BCHW)
        loss = F.cross_entropy(scores_BK, labels_B)
        if loss.item() < 1 and torch.equal(scores_BK.argmax(dim=1), labels_B):
            return
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    pytest.fail(f"after 40 steps the loss is still {loss.item():.3f}")


@pytest.mark.parametrize("name", TOO_SMALL_PX)
def test_images_that_would_vanish_are_refused_by_name_and_size(name: str) -> None:
    side_px = TOO_SMALL_PX[name]
    settings = ARCHITECTURES[name](name=name)
    with pytest.raises(ConfigError, match=f"{name}.*{side_px + 1}×{side_px + 1}.*{side_px}×40"):
        settings.build(10, (3, side_px, 40))
    with torch.device("meta"):
        assert settings.build(10, (3, side_px + 1, 40)).eval()(
            torch.zeros(2, 3, side_px + 1, 40)
        ).shape == (2, 10)
