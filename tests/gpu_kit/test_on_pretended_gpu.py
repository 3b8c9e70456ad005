"""The steps that compute, on a GPU that is pretended: tensors there meet no tensor of the CPU."""

from collections.abc import Callable, Iterable

import pytest
from benchmarks.plain_loops import StudentLoop
from benchmarks.rows import Row
from benchmarks.sessions import build_plain_model
from benchmarks.train import speed_of
from gpu_kit import agreement, resume
from gpu_kit.kit import Kit
from gpu_kit.our_run import OurRun
from gpu_kit.speed import bare_speed, start
from pretended_gpu import GPU, PretendedGpu

from cnn_train.machine.device import Device, resolve_device

pytestmark = pytest.mark.filterwarnings("ignore:CUDA is not available")  # bfloat16 stays float32


@pytest.fixture
def kit(make_kit: Callable[..., Kit], gpu: PretendedGpu, monkeypatch: pytest.MonkeyPatch) -> Kit:
    def resolve(name: str) -> Device:
        return Device(GPU, "pretended") if name == str(GPU) else resolve_device(name)

    for module in ("agreement", "resume", "our_run"):
        monkeypatch.setattr(f"gpu_kit.{module}.resolve_device", resolve)
    return make_kit(device=str(GPU))


def missed(rows: Iterable[Row]) -> dict[str, str]:
    return {row.name: row.note for row in rows if row.is_missed}


def test_updates_there_agree_with_those_on_the_cpu(kit: Kit) -> None:
    assert missed(agreement.rows(kit, "")) == {}


def test_runs_there_are_repeated_and_resumed_with_equal_bits(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "make_deterministic", lambda device: None)
    assert missed(resume.rows(kit, "")) == {}


def test_our_side_of_the_race_runs_there(kit: Kit) -> None:
    reached = OurRun(kit, "speedrun_gpu")(seed=1)
    assert reached["seconds"] > 0 and 0 <= reached["single"] <= 1


def test_both_loops_run_there(kit: Kit) -> None:
    config = kit.config("resnet18")
    images = kit.training_images(config)
    session = start(config, images, Device(GPU, "pretended"))
    assert speed_of(session)(2) > 0
    assert bare_speed(session, compiled=False)(2) > 0
    model = build_plain_model(config, images[0])
    assert StudentLoop(model, images[0], 16, GPU).images_per_second(2) > 0
