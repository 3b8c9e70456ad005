"""The steps of the kit, in order of worth, and the calls into which they are grouped."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from benchmarks.rows import Row
from part_program import choose_parts

from .kit import Kit


@dataclass(frozen=True)
class Step:
    """One piece of work, done by ``rows`` of the module that its name begins with.

    limit: seconds after which it is ended. least: seconds below which it is not begun: what its
    first results take on one H100. Of a race that is above all the peers' compilation.
    """

    name: str
    limit: float
    least: float

    def rows(self, kit: Kit) -> Iterator[Row]:
        """Do the work; yield each result as soon as it is there."""
        module = importlib.import_module(f"{__package__}.{self.module}")
        rows: Iterator[Row] = module.rows(kit, self.name.partition(":")[2])
        return rows

    @property
    def module(self) -> str:
        """The module that does the work."""
        return self.name.partition(":")[0]


TOY_LIMIT = 600.0
"""For the slowest machine; a toy run is there to see whether all works."""

CALLS = {
    "first": (
        Step("environment", 60, 15),
        Step("tests", 150, 30),
        Step("speed:speedrun_gpu", 150, 45),
        Step("speed:resnet18", 150, 45),
        Step("resume", 150, 60),
        Step("messages", 90, 40),
        Step("agreement", 200, 20),
        Step("speed:wrn28_10", 150, 45),
        Step("speed:vgg16_cross_entropy", 150, 45),
    ),
    "second": (
        Step("speedrun:94", 560, 400),
        Step("schedule:speedrun_gpu", 60, 20),
        Step("speedrun:96", 560, 400),
    ),
    "third": (
        Step("schedule:resnet18", 560, 300),
        Step("schedule:speedrun96_gpu", 240, 60),
        Step("schedule:wrn28_10", 3600, 1200),
    ),
}
STEPS = {step.name: step for steps in CALLS.values() for step in steps}


def choose_steps(names: str, *, toy: bool = False) -> list[Step]:
    """Return the steps of a list of calls and steps, comma between them.

    At toy size all configs are the same: one step of each module stands for the others. Raises
    UsageError for a name that is neither a call nor a step.
    """
    groups = {"all": tuple(STEPS.values()), **CALLS}
    known = [*groups, *STEPS]
    chosen = [
        step
        for name in choose_parts(names, known, "--steps")
        for step in groups.get(name) or (STEPS[name],)
    ]
    if toy:
        chosen = list({step.module: step for step in reversed(chosen)}.values())[::-1]
        return [replace(step, limit=TOY_LIMIT, least=0) for step in chosen]
    return list(dict.fromkeys(chosen))
