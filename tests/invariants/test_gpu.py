"""What can be checked on a GPU only; skipped where there is none."""

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import DivergedError, InterruptedRun
from cnn_train.machine.device import resolve_device
from cnn_train.random_streams import make_deterministic
from cnn_train.training.building import build_session
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.resuming import resume_session
from cnn_train.training.session import Session
from cnn_train.training.update_guard import GPU_LAG

# cuBLAS reads it when it is first used, which is long before the tests that need it.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of torch's compiler, on import
    pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores"),  # its advice
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU"),
]


@pytest.fixture
def session_on_gpu(
    make_config: Callable[..., Any], make_images: Callable[..., ImageSet]
) -> Callable[..., Session]:
    def build(**sections: Any) -> Session:
        images = make_images(64, shape=(3, 32, 32))
        config = make_config(model={"name": "resnet20"}, **sections)
        return build_session(config, images, images, resolve_device("cuda"))

    return build


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype feature")
@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"ema_decay": 0.9},
        {"precision": "bfloat16"},
        {"optimizer": {"name": "muon"}},
        {"progressive_size": {"start_px": 16}},
        {"data_selection": {"keep": 0.5, "from_epoch": 1}},
        {"compile": True},
        {"cuda_graphs": True},
    ],
)
def test_no_minibatch_waits_for_the_gpu(
    session_on_gpu: Callable[..., Session], sections: dict[str, Any]
) -> None:
    tallies = session_on_gpu(**sections).train_rest_of_epoch()
    next(tallies)  # the first one compiles and allocates
    try:
        torch.cuda.set_sync_debug_mode("error")
        next(tallies)
        next(tallies)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_run_on_the_gpu_learns_what_a_run_on_the_cpu_learns(
    session_on_gpu: Callable[..., Session],
    make_config: Callable[..., Any],
    make_images: Callable[..., ImageSet],
) -> None:
    images = make_images(64, shape=(3, 32, 32))
    config = make_config(model={"name": "resnet20"}, epochs=1)
    on_cpu = next(fit(build_session(config, images, images, resolve_device("cpu"))))
    on_gpu = next(fit(session_on_gpu(epochs=1)))
    assert on_gpu.train_loss == pytest.approx(on_cpu.train_loss, rel=0.02)


def test_a_replayed_network_learns_the_same(session_on_gpu: Callable[..., Session]) -> None:
    sections = {"epochs": 2, "progressive_size": {"stages": [[24, 0.5]]}}
    replayed, plain = session_on_gpu(**sections, cuda_graphs=True), session_on_gpu(**sections)
    records = [list(fit(session)) for session in (replayed, plain)]
    for one, other in zip(*records, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-3)
        assert one.val_loss == pytest.approx(other.val_loss, rel=1e-2)


def test_a_gpu_that_is_not_there_is_named() -> None:
    from cnn_train.errors import UsageError

    with pytest.raises(UsageError, match="this machine has GPUs 0 to"):
        resolve_device("cuda:99")


@pytest.fixture
def deterministic() -> Iterator[None]:
    """What --deterministic does, undone after the test."""
    make_deterministic(torch.device("cuda"))
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize(("position", "replayed"), [(3, False), (8, False), (3, True)])
def test_a_deterministic_run_that_was_stopped_ends_with_the_same_bits(
    session_on_gpu: Callable[..., Session], position: int, replayed: bool
) -> None:
    sections = {"epochs": 2, "cuda_graphs": replayed}
    straight, stopped, resumed = (session_on_gpu(**sections) for _ in range(3))
    list(fit(straight))
    looks = iter([False] * (position - 1))
    with pytest.raises(InterruptedRun):
        list(fit(stopped, Supervision(should_stop=lambda: next(looks, True))))
    resume_session(resumed, stopped.checkpoint())
    list(fit(resumed))
    expected = straight.checkpoint().model
    for name, value in resumed.checkpoint().model.items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_run_goes_on_where_the_other_device_left_it(
    make_config: Callable[..., Any], make_images: Callable[..., ImageSet], first: str, second: str
) -> None:
    images = make_images(64, shape=(3, 32, 32))
    config = make_config(model={"name": "resnet20"}, epochs=2)
    began, went_on = (
        build_session(config, images, images, resolve_device(name)) for name in (first, second)
    )
    next(fit(began))
    resume_session(went_on, began.checkpoint())
    (record,) = fit(went_on)
    assert (record.epoch, record.step) == (1, 16)
    assert math.isfinite(record.train_loss)


def test_a_gradient_that_is_not_finite_is_noticed_within_a_few_updates(
    session_on_gpu: Callable[..., Session],
) -> None:
    session = session_on_gpu()
    weight = next(session.model.parameters())
    weight.register_hook(
        lambda gradient: gradient * math.nan if session.progress.step == 1 else gradient
    )
    with pytest.raises(DivergedError, match="epoch 1, step 1: "):
        list(fit(session))
    assert session.progress.step <= 1 + GPU_LAG
