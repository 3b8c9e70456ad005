"""Training on images that stay on the host: the same bits, and no thread that outlives it."""

import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from cnn_train.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cnn_train.data.host_images import HostImages
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import DivergedError, InterruptedRun
from cnn_train.machine.device import Device
from cnn_train.training.building import build_session, on_device
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.resuming import checked_changes, resume_session
from cnn_train.training.session import Session

WHITENED = {"name": "fastnet", "widths": [4, 8], "extra_convolutions": [0, 0], "pools": [2, 2],
            "stem": "whitening", "stem_kernel_px": 2}  # fmt: skip
SECTIONS: dict[str, Any] = {
    "model": WHITENED, "ema_decay": 0.9, "epochs": 3,
    "augment": {"flip": "alternating", "translate": 2, "cutout": 3},
}  # fmt: skip


@pytest.fixture
def begin(start: Callable[..., Session]) -> Callable[..., Session]:
    def make(resident: str, **sections: Any) -> Session:
        data = {"name": "cifar10", "resident": resident}
        return start(data=data, **(SECTIONS | sections))

    return make


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def same_state(one: Session, other: Session) -> bool:
    first, second = one.checkpoint(), other.checkpoint()
    pairs = [
        (value, models[1][name])
        for models in ((first.model, second.model), (first.averaged_model, second.averaged_model))
        for name, value in models[0].items()
    ]
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_run_from_the_host_ends_with_the_bits_of_a_resident_run(
    begin: Callable[..., Session], no_thread_left: None
) -> None:
    resident, on_host = begin("device"), begin("host")
    assert isinstance(on_host.batches.images.images_NCHW, HostImages)
    assert isinstance(resident.batches.images.images_NCHW, torch.Tensor)
    records = [[r.train_loss, r.val_loss] for r in fit(resident)]
    assert [[r.train_loss, r.val_loss] for r in fit(on_host)] == records
    assert same_state(resident, on_host)
    assert on_host.data_fingerprints == resident.data_fingerprints


@pytest.mark.parametrize("places", [("host", "host"), ("device", "host"), ("host", "device")])
def test_a_run_goes_on_in_the_middle_of_an_epoch_wherever_its_images_lie(
    begin: Callable[..., Session], tmp_path: Path, places: tuple[str, str], no_thread_left: None
) -> None:
    straight, stopped, went_on = map(begin, ("device", *places))
    answers = iter([False, False, False, False, False, True])
    with pytest.raises(InterruptedRun):
        list(fit(stopped, Supervision(should_stop=lambda: next(answers))))
    assert (stopped.progress.epoch, stopped.progress.position) == (1, 1)
    save_checkpoint(stopped.checkpoint(), tmp_path / "state.ckpt")
    limits = (None, None)
    changes = checked_changes(stopped.config, went_on.config, limits, ())
    assert changes == []  # a free key
    resume_session(went_on, load_checkpoint(tmp_path / "state.ckpt"), changes)
    list(fit(went_on))
    list(fit(straight))
    assert same_state(went_on, straight)


def test_no_thread_is_left_while_the_error_of_an_early_end_is_looked_at(
    begin: Callable[..., Session], no_thread_left: None
) -> None:
    before = threading.active_count()
    with pytest.raises(InterruptedRun) as stopped:
        list(fit(begin("host"), Supervision(should_stop=lambda: True)))
    assert threading.active_count() == before
    with pytest.raises(DivergedError) as diverged:
        list(fit(begin("host", optimizer={"name": "sgd", "lr": 1e30}, ema_decay=0)))
    assert threading.active_count() == before
    assert stopped.tb
    assert diverged.tb


def test_a_resident_run_starts_no_thread(begin: Callable[..., Session]) -> None:
    before, session = threading.active_count(), begin("device")
    for _ in islice(session.train_rest_of_epoch(), 2):
        assert threading.active_count() == before


def test_a_set_that_is_mapped_stays_so_on_the_cpu_and_may_fit_a_gpu(
    make_images: Callable[..., ImageSet], cpu: Device
) -> None:
    images = make_images(5)
    mapped = images.on_host("too large")
    assert on_device(mapped, cpu, "auto").images_NCHW.reason == "too large"
    assert torch.equal(on_device(mapped, cpu, "device").images_NCHW, images.images_NCHW)
    assert on_device(images, cpu, "auto").images_NCHW is images.images_NCHW
    assert on_device(images, cpu, "host").images_NCHW.reason == (
        "on the host, in memory: as configured"
    )


def test_on_a_gpu_auto_goes_by_its_free_memory(
    gpu: Any, make_images: Callable[..., ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pretended_gpu import GPU

    images, device = make_images(5), Device(GPU, "")
    for one in (images, images.on_host("too large for the memory")):
        assert on_device(one, device, "auto").images_NCHW.device == GPU
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 1000))
    placed = on_device(images, device, "auto")
    assert placed.labels_N.device == GPU
    assert placed.images_NCHW.reason == (
        "on the host, in memory: 9.6e-07 GB do not fit into 40 % of the 1e-06 GB that are free"
    )


def test_the_session_of_a_mapped_set_validates_and_learns_from_it(
    make_config: Any, make_images: Callable[..., ImageSet], cpu: Device
) -> None:
    train, val = make_images(32), make_images(12, seed=1)
    resident = build_session(make_config(), train, val, cpu)
    mapped = build_session(make_config(), train.on_host("too large"), val.on_host("too large"), cpu)
    assert [r.val_accuracy for r in fit(mapped)] == [r.val_accuracy for r in fit(resident)]
    assert mapped.batches.normalization == resident.batches.normalization
