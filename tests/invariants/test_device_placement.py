"""What a GPU would refuse, and what it would be waited for, found without one.

tests/support/pretended_gpu.py stands in for it. Where numbers do not matter, torch's own fake
tensors do: they are quick, however large.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import typer
from PIL import Image
from pretended_gpu import CPU, GPU, OnGpu, PretendedGpu
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from cnn_train import api
from cnn_train.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cnn_train.checks.gradcheck import check_session
from cnn_train.checks.learning_rate_range import find_rate_range
from cnn_train.checks.profile import time_phases
from cnn_train.checks.sanity import check_sanity
from cnn_train.cli.main import app
from cnn_train.data.augment.augmentation import Flip
from cnn_train.data.dataset import silent
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import UsageError
from cnn_train.evaluation.evaluate import evaluate
from cnn_train.evaluation.paired import compare_evaluations
from cnn_train.evaluation.report import draw_evaluation
from cnn_train.evaluation.slices import evaluate_slices
from cnn_train.explore.checkpoints import Choice, OpenCheckpoints
from cnn_train.explore.explorer import Explorer
from cnn_train.inference.predict import predict_files
from cnn_train.inference.trained_model import TrainedModel, restore_trained_model
from cnn_train.inference.views import ViewsName
from cnn_train.lecture.batch_size import compare_batch_sizes
from cnn_train.lecture.descent import race
from cnn_train.lecture.minibatch_loss import MinibatchLoss
from cnn_train.lecture.regularization import compare_strengths
from cnn_train.lecture.slope import measure_slopes
from cnn_train.lecture.step import take_step
from cnn_train.losses import LOSSES
from cnn_train.losses.regularization import REGULARIZATIONS
from cnn_train.machine.device import Device, Precision, with_autocast
from cnn_train.models import ARCHITECTURES
from cnn_train.models.head import head_layer
from cnn_train.optim import OPTIMIZERS
from cnn_train.random_streams import make_generator
from cnn_train.training.building import build_session
from cnn_train.training.fit import fit
from cnn_train.training.resuming import resume_session
from cnn_train.training.session import Session
from cnn_train.visualize.methods import METHODS
from cnn_train.visualize.request import Request, Subjects
from cnn_train.visualize.worked_unit import work_out

StartOn = Callable[..., Session]


NET = {"name": "fastnet", "widths": [4, 8], "extra_convolutions": [0, 0], "pools": [2, 2],
       "stem": "whitening", "stem_kernel_px": 2}  # fmt: skip


@pytest.fixture
def images(make_images: Callable[..., ImageSet]) -> ImageSet:
    return make_images(12, seed=1)


@pytest.fixture
def start_on(gpu: PretendedGpu, make_config: Any, make_images: Any, images: ImageSet) -> StartOn:
    """Build a session of eight updates per epoch: a GPU's answers are four of them late."""

    def start(device: torch.device, **sections: Any) -> Session:
        config = make_config(**{"model": NET, **sections})
        return build_session(config, make_images(64), images, Device(device, ""))

    return start


def trained(session: Session) -> TrainedModel:
    return restore_trained_model(session.checkpoint(), session.device, "the session")


FAULTS: dict[str, Callable[[Tensor], object]] = {
    "a sum": lambda x: x + torch.ones(3),
    "a choice": lambda x: torch.where(torch.tensor([True, False, True]), x, x),
    "a stack": lambda x: torch.stack([torch.tensor(0.0), x[0]]),
    "a gather": lambda x: x.gather(0, torch.tensor([0])),
    "an index": lambda x: torch.ones(3)[x.long()],
    "a generator": lambda x: torch.rand(3, device=x.device, generator=torch.Generator()),
    "a view for NumPy": lambda x: x.numpy(),
    "pinned memory": lambda x: x.pin_memory(),
    "the first GPU": lambda x: torch.ones(3, device="cuda:0"),
    "an event of the first GPU": lambda x: torch.cuda.Event().record(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_refused(gpu: PretendedGpu, fault: str) -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        FAULTS[fault](torch.zeros(3).to(GPU))


WAITS: dict[str, Callable[[Tensor], object]] = {
    "item": Tensor.item, "if": bool, "tolist": OnGpu.tolist, "nonzero": Tensor.nonzero,
    "a mask": lambda x: x[x > 0], "to the CPU": Tensor.cpu,
    "to the GPU": lambda x: torch.ones(3).to(x.device),
    "an index of the CPU": lambda x: x[torch.tensor([0, 0])],
}  # fmt: skip


@pytest.mark.parametrize("wait", WAITS)
def test_a_planted_wait_is_noticed(gpu: PretendedGpu, wait: str) -> None:
    on_gpu = torch.ones(1).to(GPU, non_blocking=True)
    assert gpu.waits == []
    WAITS[wait](on_gpu)
    assert len(gpu.waits) == 1


def test_a_run_on_a_gpu_learns_what_one_on_the_cpu_learns(start_on: StartOn) -> None:
    on_cpu, on_gpu = (asdict(next(fit(start_on(device)))) for device in (CPU, GPU))
    for name in on_cpu.keys() - {"seconds", "images_per_second"}:
        assert on_gpu[name] == pytest.approx(on_cpu[name], rel=1e-4), name


SECTIONS: list[dict[str, Any]] = [
    *({"optimizer": {"name": name}} for name in OPTIMIZERS),
    *({"loss": {"name": name}} for name in LOSSES),
    *({"regularization": {"kind": kind}} for kind in REGULARIZATIONS),
    *({"augment": {"flip": flip, "translate": 2, "cutout": 3}} for flip in get_args(Flip)),
    {"augment": {"brightness": 0.2, "contrast": 0.1}},
    {"augment": {"saturation": 0.4, "hue": 0.1, "rotation": 20, "crop_scale": [0.3, 1]}},
    {"augment": {"trivial_augment": True, "erasing": 0.5, "mixup": 0.4, "cutmix": 1}},
    {"ema_decay": 0.9, "clip_grad_norm": 0.1, "progressive_size": {"start_px": 6}},
    {"model": {"name": "hog_linear", "cell_px": 2}},
    {"data_selection": {"keep": 0.5, "from_epoch": 1}},
    {"data": {"sampling": "balanced"}, "loss": {"weights": [1.0, 2.0, 0.5]}, "accumulate": 2},
    {"loss": {"name": "hinge", "weights": "balanced"}},
    {"data": {"name": "cifar10", "resident": "host"}},
]


@pytest.mark.parametrize("sections", SECTIONS, ids=str)
def test_no_minibatch_waits_for_the_gpu_and_all_that_comes_of_it_is_there(
    gpu: PretendedGpu, start_on: StartOn, sections: dict[str, Any]
) -> None:
    session = start_on(GPU, **sections)
    gpu.waits.clear()
    tallies = [*islice(session.train_rest_of_epoch(), 6), session.validate()]
    assert gpu.waits == []
    models = [session.model, *([session.average.module] if session.average else [])]
    found = [value for tally in tallies if tally for value in vars(tally).values()]
    found += [tensor for model in models for tensor in model.state_dict().values()]
    states = [value for state in session.optimizer.state.values() for value in state.values()]
    found += [one for one in states if isinstance(one, Tensor) and one.ndim]  # not AdamW's counter
    assert {one.device for one in found if isinstance(one, Tensor) and one.numel()} == {GPU}


def test_an_epoch_of_the_hardest_images_waits_for_their_losses_once(
    gpu: PretendedGpu, start_on: StartOn
) -> None:
    session = start_on(GPU, data_selection={"keep": 0.9, "from_epoch": 1})
    session.progress.epoch = 1
    gpu.waits.clear()
    tallies = islice(session.train_rest_of_epoch(), 6)
    assert [tally.num_examples for tally in tallies] == [8] * 6
    assert gpu.waits == ["aten._to_copy.default"]
    assert session.losses_2N.device == GPU


@pytest.mark.parametrize(("first", "second"), [(CPU, GPU), (GPU, CPU)], ids=str)
def test_a_run_goes_on_where_the_other_device_left_it(
    start_on: StartOn, tmp_path: Path, first: torch.device, second: torch.device
) -> None:
    sections = {"optimizer": {"name": "adamw"}, "ema_decay": 0.9}
    began, straight, went_on = (start_on(device, **sections) for device in (first, CPU, second))
    next(fit(began))
    save_checkpoint(began.checkpoint(), tmp_path / "state.ckpt")
    resume_session(went_on, load_checkpoint(tmp_path / "state.ckpt"))
    (record,), (_, expected) = fit(went_on), fit(straight)
    assert record.train_loss == pytest.approx(expected.train_loss, rel=1e-3)


@pytest.mark.parametrize(
    ("views", "share"), [*((views, 1.0) for views in get_args(ViewsName)), ("flip", 0.5)]
)
def test_a_model_scores_images_as_it_does_on_the_cpu(
    start_on: StartOn, images: ImageSet, views: ViewsName, share: float
) -> None:
    models = [trained(start_on(device)) for device in (CPU, GPU)]
    on_cpu, on_gpu = (
        evaluate(model, images, batch_size=5, tta=views, tta_share=share) for model in models
    )
    torch.testing.assert_close(on_gpu.scores_NK, on_cpu.scores_NK)
    assert on_gpu.per_class == on_cpu.per_class


@pytest.mark.parametrize("name", METHODS)
def test_every_visualisation_shows_what_it_shows_on_the_cpu(
    start_on: StartOn, images: ImageSet, name: str
) -> None:
    asked = {"num_channels": 1, "num_points": 3, "label": "class 1"}
    models, subjects = [trained(start_on(device)) for device in (CPU, GPU)], Subjects.of(images)
    requests = [Request(model, subjects, **asked) for model in models]
    on_cpu, on_gpu = map(METHODS[name].show, requests)
    assert on_gpu.blocks == on_cpu.blocks
    on_gpu.draw()


def slopes(session: Session) -> object:
    loss, generator = MinibatchLoss(session), make_generator(0, "directions")
    gradient_P, point_P = loss.gradient(), loss.point()
    return measure_slopes(loss, gradient_P, point_P, num_random=1, generator=generator, h=1e-4)


def explore_everything(session: Session, images: ImageSet) -> None:
    """Ask a model's page every question, about every layer."""
    model, only = trained(session), Choice("file", "a model", Path("model.ckpt"), 0, 0)
    checkpoints = OpenCheckpoints([only], "file", model, Subjects.of(images))
    explorer = Explorer("a model", checkpoints, images)
    num_layers = len(explorer.page()["layers"])
    (image,) = explorer.answering("images")({"order": "as they come", "count": 1})["images"]
    asked = {"pixels": image["pixels"], "layers": list(range(num_layers)), "class": 1}
    for name in ("look", "history", "embedding", "backward", "speakers", "filters", "patches"):
        explorer.answering(name)(asked)
    for method in ("guided", "cam", "occlusion"):
        explorer.answering("backward")(asked | {"method": method})
    for index, layer in enumerate(explorer.page()["layers"]):
        if layer["unit"]:
            explorer.answering("unit")(asked | {"layer": index})


USE_CASES: dict[str, Callable[[Session, ImageSet, Path], object]] = {
    "fit": lambda session, *_: check_sanity(session),
    "sweep": lambda session, *_: list(fit(session)),
    "find-lr": lambda session, *_: find_rate_range(session, 1e-4, 1e-2, 5),
    "evaluate": lambda session, images, _: evaluate_slices(trained(session), images),
    "compare": lambda session, images, _: compare_evaluations(
        [evaluate(trained(session), images)] * 2, [torch.empty(0, dtype=torch.int64)] * 2
    ),
    "predict": lambda session, _, path: predict_files(trained(session), [path]),
    "serve": lambda session, _, path: predict_files(trained(session), [path], top_k=1),
    "explore": lambda session, images, _: explore_everything(session, images),
    "report": lambda session, images, _: draw_evaluation(
        evaluate(trained(session), images), model_name="m"
    ),
    "visualize": lambda session, images, _: Request(trained(session), Subjects.of(images)),
    "gradcheck": lambda session, *_: list(check_session(session, samples=1, num_images=4)),
    "profile": lambda session, *_: time_phases(session, 1),
    "learn conv": lambda session, *_: work_out(
        session.model,
        head_layer(session.model)[0],
        next(session.batches.epoch(0)).images_BCHW[:1],
        0,
    ),
    "learn loss": lambda session, images, _: evaluate(trained(session), images),
    "learn step": lambda session, *_: take_step(session, 2),
    "learn slope": lambda session, *_: slopes(session),
    "learn descent": lambda session, *_: race(session, 32, 0.0, silent, 3),
    "learn batch-size": lambda session, *_: compare_batch_sizes(session, 64, 0.0, 1),
    "learn regularization": lambda session, *_: compare_strengths(session, 32, 0.0),
}


@pytest.mark.parametrize("command", USE_CASES)
def test_every_command_that_takes_a_device_computes_on_a_gpu(
    start_on: StartOn, images: ImageSet, tmp_path: Path, monkeypatch: Any, command: str
) -> None:
    monkeypatch.setattr("cnn_train.checks.sanity.MOST_OVERFIT_STEPS", 3)
    Image.new("RGB", (9, 8)).save(tmp_path / "black.png")
    USE_CASES[command](start_on(GPU), images, tmp_path / "black.png")


def test_the_commands_that_take_a_device_are_these() -> None:
    commands = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    for group in ("learn", "visualize"):
        commands |= {f"{group} {name}": one for name, one in commands.pop(group).commands.items()}
    taking = {name for name, one in commands.items() if "device" in {p.name for p in one.params}}
    methods = {f"visualize {name}" for name in METHODS}
    assert taking == set(USE_CASES) - {"visualize"} | methods


LINEAR = {"model": {"name": "linear"}, "epochs": 1, "precision": "float32"}


@pytest.mark.usefixtures("gpu")
def test_the_python_api_trains_and_predicts_on_a_gpu(images: ImageSet, monkeypatch: Any) -> None:
    device_of = lambda world, request: Device(torch.device(request), "")  # noqa: E731
    monkeypatch.setattr("cnn_train.training.run.device_of", device_of)
    model = api.train(images.images_NCHW, [*"abc"] * 4, device=str(GPU), **LINEAR)
    assert {one.device for one in model.model.parameters()} == {GPU}
    assert set(api.predict(model, images.images_NCHW)) <= {*"abc"}


def test_the_python_api_leaves_the_random_numbers_of_every_gpu_to_its_caller(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_back: dict[int, str] = {}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: f"state {device}")
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, at: put_back.update({at: state}))
    api.train(images.images_NCHW, images.labels_N, device="cpu", **LINEAR)
    assert put_back == {0: "state 0", 1: "state 1"}


@pytest.mark.parametrize("command", ["gradcheck", "learn slope", "learn batch-size"])
def test_what_needs_float64_refuses_an_apple_gpu(start_on: StartOn, command: str) -> None:
    session = replace(start_on(CPU), device=Device(torch.device("mps"), ""))
    with pytest.raises(UsageError, match="in float64, which mps lacks; use --device cpu"):
        USE_CASES[command](session, session.val_images, Path())


NETWORKS = {kind: name for name, kind in reversed(ARCHITECTURES.items())}
"""The first name of every kind: its further names differ in depth only."""


class Forgetful(nn.Module):
    """Holds a constant that ``to(device)`` does not know of."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = torch.ones(3, 1, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW * self.constant


@pytest.fixture
def score_on_fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[nn.Module], Tensor]:
    """Score two images in bfloat16 where all tensors of the GPU are fake."""
    if not torch.backends.cuda.is_built():
        pytest.skip("this torch was built without CUDA")
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    device = torch.device("cuda", 0)

    def score(model: nn.Module) -> Tensor:
        forward = with_autocast(model.eval(), Device(device, ""), Precision(torch.bfloat16, ""))
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
            model.to(device, memory_format=torch.channels_last)
            return forward(torch.zeros(2, 3, 32, 32, device=device))

    return score


def test_a_constant_that_a_network_leaves_behind_is_noticed(score_on_fake: Any) -> None:
    with pytest.raises(RuntimeError, match="device"):
        score_on_fake(Forgetful())


@pytest.mark.parametrize("name", NETWORKS.values())
def test_every_architecture_scores_on_the_gpu_and_in_float32(name: str, score_on_fake: Any) -> None:
    with torch.device("meta"):  # no numbers are drawn
        model = ARCHITECTURES[name](name=name).build(10, (3, 32, 32))
    scores_BK = score_on_fake(model)
    assert (scores_BK.shape, scores_BK.dtype) == ((2, 10), torch.float32)
    assert scores_BK.device.type == "cuda"


REFUSED = {"AdaptiveAvgPool2D", "AdaptiveMaxPool2D", "FractionalMaxPool2D", "MaxUnpool2D",
           "UpsampleBilinear2D", "UpsampleBicubic2D", "ReflectionPad2D", "GridSampler2D",
           "NllLoss2D", "Put", "Median"}  # fmt: skip
"""Gradients that torch refuses to compute on a GPU: its page on use_deterministic_algorithms."""


def gradients(output: Tensor) -> set[str]:
    """Name the steps of the backward pass as in REFUSED."""
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        if (node := waiting.pop()) is not None and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
    return {node.name().partition("Backward")[0].lstrip("_") for node in seen}


@pytest.mark.parametrize("name", NETWORKS.values())
def test_every_architecture_can_be_trained_with_deterministic_algorithms(name: str) -> None:
    with torch.device("meta"):
        scores_BK = ARCHITECTURES[name](name=name).build(10, (3, 32, 32))(torch.ones(2, 3, 32, 32))
        losses = [loss(name=name).build() for name, loss in LOSSES.items()]
        found = {one for loss in losses for one in gradients(loss(scores_BK, torch.arange(2)))}
    assert found & {"Convolution", "Addmm"} and not found & REFUSED


@pytest.mark.parametrize("pool", [nn.AdaptiveMaxPool2d(1), nn.AdaptiveAvgPool2d(2)], ids=str)
def test_a_gradient_that_depends_on_the_order_of_additions_is_noticed(pool: nn.Module) -> None:
    assert gradients(pool(torch.ones(2, 3, 4, 4, requires_grad=True)).sum()) & REFUSED
