"""The adapters, on scripts with the interfaces of the real peers."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from benchmarks.measuring import Spread
from benchmarks.rows import Row
from gpu_kit.kit import Kit
from gpu_kit.peers import PeerRun, find_script, lay_out_images
from gpu_kit.speedrun import Racer, RacerError, rows

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import UsageError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler
CPU = torch.device("cpu")
SCRIPTS = Path(__file__).parents[2] / "scripts"

# Reads its own text by argv[0], compiles three networks, and keeps time under another name.
SCRIPT_OF_THREE_NETWORKS = """
import sys
from torch import nn
with open(sys.argv[0]) as file:
    code = file.read()
hyp = {"proxy": 2, "net": 5}
def make_net(width):
    return nn.Sequential(nn.Conv2d(3, width, 2))
def print_training_details(variables, is_final_entry):
    raise AssertionError("the adapter listens instead")
def main(run, hyp, proxy, trained, frozen):
    widths = [network._orig_mod[0].out_channels for network in (proxy, trained, frozen)]
    learns = [network._orig_mod[0].bias.requires_grad for network in (proxy, trained, frozen)]
    assert (widths, learns) == ([2, 5, 5], [False, True, False])
    val_acc = 0.5
    print_training_details(locals(), is_final_entry=False)
    tta_val_acc, total_time_seconds = 0.75, 10.0 + run
    print_training_details(locals(), is_final_entry=True)
if __name__ == "__main__":
    raise AssertionError("it is imported, not started")
"""


@pytest.fixture(autouse=True)
def without_compiler() -> Iterator[None]:
    with torch.compiler.set_stance("force_eager"):
        yield


def test_a_peer_of_one_network_learns_from_the_images_laid_out(
    make_images: Callable[..., ImageSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its classes differ in brightness, so class means are enough to tell them apart."""
    train, test = (make_images(60, 10, (3, 32, 32), seed) for seed in (0, 1))
    lay_out_images(train, test, tmp_path)
    monkeypatch.chdir(tmp_path)
    reached = PeerRun(SCRIPTS / "gpu_kit" / "toy_peer.py", CPU)(seed=1)
    assert reached["single"] == reached["views"] == 1.0
    assert reached["seconds"] > 0


def test_images_are_laid_out_as_peers_expect_them(
    make_images: Callable[..., ImageSet], tmp_path: Path
) -> None:
    images = make_images(5, shape=(3, 32, 32))
    lay_out_images(images, images, tmp_path)
    content = torch.load(tmp_path / "cifar10" / "test.pt", weights_only=True)
    assert torch.equal(content["images"][3, 7, 9], images.images_NCHW[3, :, 7, 9])
    assert content["images"].shape == (5, 32, 32, 3) and content["images"].is_contiguous()
    assert torch.equal(content["labels"], images.labels_N)
    assert content["classes"] == list(images.class_names)


def test_a_peer_of_three_networks_is_built_as_by_itself_and_heard(tmp_path: Path) -> None:
    path = tmp_path / "airbench96_faster.py"
    path.write_text(SCRIPT_OF_THREE_NETWORKS)
    assert PeerRun(path, CPU)(seed=3) == {"seconds": 13.0, "single": 0.5, "views": 0.75}


def test_a_peer_is_found_anywhere_below_the_folder_or_named(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "clone" / "airbench94_muon.py").touch()
    assert find_script(tmp_path, "airbench94_muon.py").parent.name == "clone"
    for folder in (tmp_path, None):
        with pytest.raises(UsageError, match=r"cifar10_speedrun\.py is not among --peers"):
            find_script(folder, "cifar10_speedrun.py")


def test_a_side_that_ends_is_an_error_that_names_it(
    make_kit: Callable[..., Kit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_peer.py").write_text("raise SystemExit(3)\n")
    monkeypatch.setenv("PYTHONPATH", f"{SCRIPTS}:{SCRIPTS.parent}")
    with (
        Racer(make_kit(peers=tmp_path), "toy_peer.py", tmp_path) as racer,
        pytest.raises(RacerError, match=r"^toy_peer\.py ended with code 3; see the log$"),
    ):
        racer.run(1, limit=100)


def test_a_side_that_takes_too_long_is_ended(
    make_kit: Callable[..., Kit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{SCRIPTS}:{SCRIPTS.parent}")
    with (
        Racer(make_kit(), "speedrun_gpu", tmp_path) as racer,
        pytest.raises(RacerError, match=r"^speedrun_gpu ended with code -9; took more than 0 s$"),
    ):
        racer.run(1, limit=0.01)


class PretendedRacer:
    """A side that takes as many seconds as its name is long."""

    fails_at: ClassVar[dict[str, int]] = {}

    def __init__(self, kit: Kit, name: str, folder: Path) -> None:
        self.name, self.is_ours = name, not name.endswith(".py")
        self.started, self.seconds = 0.0, list[float]()

    def __enter__(self) -> "PretendedRacer":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, seed: int, limit: float) -> dict[str, float]:
        if self.fails_at.get(self.name, 1000) <= seed:
            raise RacerError(f"{self.name} ended")
        return {"seconds": len(self.name), "single": 0.9, "views": 0.91}


@pytest.fixture
def race(
    make_kit: Callable[..., Kit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[Row]]:
    """Return a function that races ours and two peers; the scripts are there, but nobody runs."""
    monkeypatch.setattr("gpu_kit.speedrun.Racer", PretendedRacer)
    sides = ("speedrun_gpu", "airbench94_muon.py", "cifar10_speedrun.py")
    monkeypatch.setattr("gpu_kit.speedrun.TOY_RACE", sides)
    (tmp_path / "airbench94_muon.py").touch()

    def run(**settings: Any) -> list[Row]:
        return list(rows(make_kit(peers=tmp_path, **settings), "94"))

    return run


def missed(outcome: list[Row]) -> dict[str, str]:
    return {row.name: row.note for row in outcome if row.is_missed}


def test_all_sides_take_turns_and_a_missing_one_is_named(race: Callable[..., list[Row]]) -> None:
    outcome = race()
    assert missed(outcome) == {"cifar10_speedrun.py": "cifar10_speedrun.py is not among --peers"}
    assert outcome[-1].name == "speedrun_gpu, beside airbench94_muon.py"
    assert outcome[-1].ratio == Spread.of([len("airbench94_muon.py") / len("speedrun_gpu")] * 2)


def test_a_side_that_ends_between_turns_is_compared_by_the_rounds_it_finished(
    race: Callable[..., list[Row]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cifar10_speedrun.py").touch()
    monkeypatch.setattr(PretendedRacer, "fails_at", {"cifar10_speedrun.py": 2})
    outcome = race(seeds=3)
    assert missed(outcome) == {"cifar10_speedrun.py": "cifar10_speedrun.py ended"}
    (comparison,) = (row for row in outcome if row.ratio)
    assert comparison.ours.n == 3


def test_turns_end_when_the_next_would_not_fit_into_the_time_left(
    race: Callable[..., list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at the clock is a second here, so that a round takes at least one."""
    ticks = count()
    monkeypatch.setattr("gpu_kit.speedrun.time.perf_counter", lambda: float(next(ticks)))
    left = iter([100.0, 100.0, 5.0, 5.0, 5.0, 0.9])
    monkeypatch.setattr(Kit, "seconds_left", lambda kit: next(left, 0.9))
    (comparison,) = (row for row in race(seeds=100) if row.ratio)
    assert comparison.ours.n == 1
