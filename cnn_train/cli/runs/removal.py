"""``cnn-train runs remove`` and ``runs prune``: make room on the disk, after a question."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import LockedError
from ...page import megabytes
from ..console import confirmed, notice, print_json, warn
from ..options import JsonOption, RunRootOption, RunsArgument, YesOption
from ..present import show

if TYPE_CHECKING:
    from ...runs.tidying import Removal


def remove(
    runs: RunsArgument,
    run_root: RunRootOption = Path("runs"),
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove whole runs, after a question; one in training is refused.

    runs/latest becomes the newest run left. With --json, nothing is removed without --yes.
    """
    from ...runs.listing import read_named
    from ...runs.tidying import Removal

    listed = read_named(runs, run_root)
    for one in listed:  # before anything is removed
        with one.run.locked():
            pass
    _remove([Removal.of(one) for one in listed], yes, as_json)


def prune(
    keep_best: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Remove whole runs too: all but the N of highest accuracy on the same validation "
            "images.",
        ),
    ] = None,
    run_root: RunRootOption = Path("runs"),
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove checkpoints that are neither best nor last, after a list and a question.

    Those in a run's history/ stay. A pruned run is used and resumed as before, but has no
    older state should its last be damaged. Runs in training and damaged ones stay.
    With --json, nothing is removed without --yes.
    """
    from ...runs.listing import read_runs
    from ...runs.lock import is_locked
    from ...runs.tidying import plan_pruning

    usable = []
    for one in read_runs(run_root):
        reason = one.summary.damaged or (is_locked(one.run.path) and "a process trains in it")
        if reason:
            notice(f"{one.run.path} stays: {reason}")
        else:
            usable.append(one)
    _remove(plan_pruning(usable, keep_best), yes, as_json)


def _remove(removals: "Sequence[Removal]", yes: bool, as_json: bool) -> None:
    """Show what is to go; remove it if the user wants that."""
    from .listing import values_table

    rows = [asdict(removal) for removal in removals]
    shown = [row | {"files": ", ".join(row["files"]) or "the whole run"} for row in rows]
    if shown and not as_json:
        show((values_table(shown),))
    total = megabytes(sum(removal.frees for removal in removals))
    go = bool(removals) and (yes if as_json else confirmed(f"Remove this and free {total}?", yes))
    gone = []
    for removal in removals if go else ():
        try:
            removal.carry_out()
            gone.append(asdict(removal))
        except LockedError as busy:  # since it was listed
            warn(f"not removed: {busy}")
    freed = megabytes(sum(row["frees"] for row in gone))
    if as_json:
        print_json({"removals": gone if go else rows, "removed": bool(gone)})
    else:
        notice(f"freed {freed}" if gone else "nothing was removed")
