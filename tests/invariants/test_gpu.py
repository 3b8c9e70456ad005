"""What can be checked on a GPU only; skipped where there is none."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.device import resolve_device
from cnn_train.fit import fit
from cnn_train.session import Session, build_session

pytestmark = [
    pytest.mark.gpu,
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


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"ema_decay": 0.9},
        {"precision": "bfloat16"},
        {"optimizer": {"name": "muon"}},
        {"progressive_size": {"start_px": 16}},
        {"compile": True},
    ],
)
def test_no_minibatch_waits_for_the_gpu(
    session_on_gpu: Callable[..., Session], sections: dict[str, Any]
) -> None:
    tallies = session_on_gpu(**sections).train_rest_of_epoch()
    next(tallies)  # the first one compiles and allocates
    torch.cuda.set_sync_debug_mode("error")
    try:
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


def test_a_gpu_that_is_not_there_is_named() -> None:
    from cnn_train.errors import UsageError

    with pytest.raises(UsageError, match="this machine has GPUs 0 to"):
        resolve_device("cuda:99")
