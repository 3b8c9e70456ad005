"""Step ``speedrun:94`` or ``96``: our recipe and the record holders' own code, in turns.

All train on the same images and are evaluated on the same test images. Each side has a process of
its own that stays alive, so that compilation is paid once; its first run is not counted.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from benchmarks.rows import Row, compare_seconds

from cnn_train.errors import CnnTrainError

from .attempt import missed, single
from .campaign import alarm
from .kit import Kit, join
from .peers import find_script, lay_out_images

RACES = {
    "94": (
        "speedrun_gpu", "speedrun_gpu, cuda_graphs=true",
        "airbench94_muon.py", "cifar10_speedrun.py",
    ),
    "96": ("speedrun96_gpu", "airbench96_faster.py"),
}  # fmt: skip
TOY_RACE = ("speedrun_gpu", "toy_peer.py")
SHARE_OF_FIRST_RUN = 0.4
"""Of the time that is left: a side whose first run takes longer would leave none for the turns."""


class RacerError(CnnTrainError):
    """A side of the race ended."""


class Racer:
    """A process that runs one side once for each seed that it is sent."""

    def __init__(self, kit: Kit, name: str, folder: Path) -> None:
        self.name, self.is_ours, self.seconds = name, not name.endswith(".py"), list[float]()
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gpu_kit.child", "side", name, kit.to_json()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def run(self, seed: int, limit: float) -> dict[str, float]:
        """Run once with this seed; raises RacerError where the process ends, or takes too long."""
        assert self.process.stdin and self.process.stdout
        with alarm(limit, self.process.kill) as too_long:
            with suppress(BrokenPipeError):  # the reading tells
                self.process.stdin.write(f"{seed}\n")
                self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line.endswith("\n"):
            why = f"took more than {limit:.0f} s" if too_long.is_set() else "see the log"
            raise RacerError(f"{self.name} ended with code {self.process.wait()}; {why}")
        reached: dict[str, float] = json.loads(line)
        return reached


def rows(kit: Kit, race: str) -> Iterator[Row]:
    """Let every side run once, then all in turns while there is time, then compare them."""
    part, sides = f"speedrun:{race}", TOY_RACE if kit.toy else RACES[race]
    config = kit.config(sides[0])
    train = join(*kit.training_images(config))
    folder = kit.scratch / race
    lay_out_images(train, kit.test_images(config, train.class_names), folder)
    racers: list[Racer] = []
    with ExitStack() as stack:
        for name in sides:
            try:
                if name.endswith(".py"):
                    find_script(kit.peers, name)
                racer = stack.enter_context(Racer(kit, name, folder))
                yield run_first(part, racer, SHARE_OF_FIRST_RUN * kit.seconds_left())
                racers.append(racer)
            except CnnTrainError as problem:
                yield missed(part, name, "takes part", problem)
        yield from run_rounds(kit, part, racers)
        yield from compare(part, racers)


def run_first(part: str, racer: Racer, limit: float) -> Row:
    """Run once, uncounted: the time of the whole process, from its start."""
    racer.run(0, limit)
    seconds = time.perf_counter() - racer.started
    note = "imports, images, compilation, one run"
    return single(part, f"{racer.name}: whole process", "s", seconds, note=note)


def run_rounds(kit: Kit, part: str, racers: list[Racer]) -> Iterator[Row]:
    """Run all sides once per seed, in alternating order, while a round fits into the time left.

    A side that ends is named and taken out of ``racers``.
    """
    longest = 0.0
    for seed in range(1, kit.seeds + 1):
        if kit.seconds_left() < 1.3 * longest:
            return
        started = time.perf_counter()
        for racer in racers[:] if seed % 2 else racers[::-1]:
            try:
                yield from run_once(part, racer, seed, kit.seconds_left())
            except RacerError as problem:
                racers.remove(racer)
                yield missed(part, racer.name, "takes part", problem)
        longest = max(longest, time.perf_counter() - started)


def run_once(part: str, racer: Racer, seed: int, limit: float) -> Iterator[Row]:
    """Run with one seed; report the clock and both accuracies."""
    reached = racer.run(seed, limit)
    racer.seconds.append(reached["seconds"])
    yield single(part, f"{racer.name}: by the clock of the record", "s", reached["seconds"])
    for what, key in (("single view", "single"), ("with views", "views")):
        yield single(part, f"{racer.name}: test accuracy, {what}", "%", 100 * reached[key])


def compare(part: str, racers: list[Racer]) -> Iterator[Row]:
    """Compare each of our sides with each peer, over the rounds that both finished."""
    for ours in racers:
        for peer in racers:
            num_rounds = min(len(ours.seconds), len(peer.seconds))
            if ours.is_ours and not peer.is_ours and num_rounds:
                yield compare_seconds(
                    part, f"{ours.name}, beside {peer.name}",
                    ours.seconds[:num_rounds], peer.seconds[:num_rounds],
                )  # fmt: skip
