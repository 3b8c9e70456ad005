"""Step ``speedrun:94`` or ``96``: our recipe and the record holders' own code, in turns.

All get the same training images (the config's validation images held out from all) and are
evaluated on the same test images. Each side has a process of its own that stays alive, so that
compilation is paid once; its first run warms it up and is not counted.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from benchmarks.measuring import Spread
from benchmarks.rows import Row, Target, compare_seconds

from cnn_train.errors import CnnTrainError

from .kit import Kit
from .peers import find_script, lay_out_images

RACES = {
    "94": ("speedrun_gpu", ("airbench94_muon.py", "cifar10_speedrun.py")),
    "96": ("speedrun96_gpu", ("airbench96_faster.py",)),
}
TOY_PEERS = ("toy_peer.py",)
COMPILED = "compile=true"


class RacerError(CnnTrainError):
    """A side of the race ended."""


class Racer:
    """A process that runs one side once for each seed that it is sent."""

    def __init__(self, kit: Kit, name: str, folder: Path) -> None:
        self.name, self.seconds = name, list[float]()
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gpu_kit.racer", kit.to_json(), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def run(self, seed: int) -> dict[str, float]:
        """Run once with this seed; raises RacerError where the process ends instead."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(f"{seed}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the reading below says so
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            raise RacerError(f"{self.name} ended with code {self.process.wait()}; see the log")
        reached: dict[str, float] = json.loads(line)
        return reached


def rows(kit: Kit, race: str) -> Iterator[Row]:
    """Warm every side up, then let them take turns; a side that fails is named and left out."""
    part = f"speedrun:{race}"
    stem, peers = RACES[race]
    config = kit.config(stem)
    train, _ = kit.training_images(config)
    folder = kit.scratch / race
    lay_out_images(train, kit.test_images(config, train.class_names), folder)
    with ExitStack() as stack:
        racers = []
        sides = (stem, *TOY_PEERS) if kit.toy else (stem, f"{stem}, {COMPILED}", *peers)
        for name in sides:
            try:
                if name.endswith(".py"):
                    find_script(kit.peers, name)
                racer = stack.enter_context(Racer(kit, name, folder))
                yield warm_up(part, racer)
                racers.append(racer)
            except CnnTrainError as problem:
                missing = Target("takes part", False)
                yield Row(part, name, "", Spread.of([0]), target=missing, note=str(problem))
        for turn in range(kit.seeds):
            for racer in racers if turn % 2 == 0 else reversed(racers):
                yield from run_once(part, racer, seed=turn + 1)
        ours = [racer for racer in racers if not racer.name.endswith(".py")]
        for mine in ours:
            for other in racers:
                if other not in ours:
                    yield compare_seconds(
                        part, f"{mine.name}, beside {other.name}", mine.seconds, other.seconds
                    )


def warm_up(part: str, racer: Racer) -> Row:
    """Run twice, uncounted: a whole process costs its start, a warm-up and one run."""
    racer.run(0)
    racer.run(0)
    seconds = time.perf_counter() - racer.started
    note = "start, images, compilation, a run to warm up, a run"
    return Row(part, f"{racer.name}: whole process", "s", Spread.of([seconds]), note=note)


def run_once(part: str, racer: Racer, seed: int) -> Iterator[Row]:
    """Run with one seed; report the clock and both accuracies."""
    reached = racer.run(seed)
    racer.seconds.append(reached["seconds"])
    yield Row(
        part, f"{racer.name}: by the clock of the record", "s", Spread.of([reached["seconds"]])
    )
    for what, key in (("single view", "single"), ("with views", "views")):
        percent = Spread.of([100 * reached[key]])
        yield Row(part, f"{racer.name}: test accuracy, {what}", "%", percent)
