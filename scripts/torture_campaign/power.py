"""Simulated power loss: every state that a file system may leave of a recorded save."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .campaign import Campaign
from .crash_states import Directory, Disk, crash_states
from .file_operations import Operation, watched
from .rows import Count, Row
from .states import make_save

PART = "power"
PLAIN = "torture_campaign.plain_loop:save_through_python"
NAMES = {
    "checkpoint": "power lost in a save: old or new loads",
    "run": "power lost in a run's save",
}


def power_rows(campaign: Campaign) -> Iterator[Row]:
    """Lose the power in saves of a checkpoint, of a run's three names, and of the plain loop."""
    plain = lose_power(campaign, "plain", PLAIN)
    for kind, name in NAMES.items():
        ours = lose_power(campaign, kind)
        yield Row(PART, name, _kept(ours), _kept(plain), f"after {', '.join(ours['operations'])}")
    yield Row(
        PART, "a save that has returned survives power loss",
        Count(ours["durable"], ours["num_after"]), Count(plain["durable"], plain["num_after"]),
    )  # fmt: skip


def _kept(counts: dict[str, Any]) -> Count:
    return Count(counts["num_states"] - counts["neither"], counts["num_states"])


def lose_power(campaign: Campaign, kind: str, replaced_by: str = "") -> dict[str, Any]:
    """Lose the power in one kind of save, in a child; see ``count_states``."""
    arguments = {"kind": kind, "states": campaign.two_states, "replaced_by": replaced_by}
    counts: dict[str, Any] = campaign.call(count_states, **arguments)
    return counts


def count_states(kind: str, states: tuple[str, str], replaced_by: str = "") -> dict[str, Any]:
    """Record a save, then load from every state that a crash may leave.

    Returns ``num_states``, in how many of them ``neither`` state loads, ``num_after`` and
    ``durable``: the states possible once the save has returned, and those in which the new one
    loads; and the kinds of ``operations``, in their order.
    """
    with TemporaryDirectory() as scratch:
        before, directory = Path(scratch) / "before", Path(scratch) / "now"
        for place in (before, directory):
            place.mkdir()
            save = make_save(kind, place, states, replaced_by)
            save.prepare()
        operations: list[Operation] = []
        with watched(operations.append):
            save.save()
        moved = [_moved(operation, directory, before) for operation in operations]
        final = Disk(before)
        for operation in moved:
            final.apply(operation)
        _require_complete(final, directory)
        losses = [
            _loads(save.loads, directory, state) == "neither"
            for state in crash_states(before, moved)
        ]
        after = [_loads(save.loads, directory, state) == "new" for state in final.after_crash()]
    return {
        "num_states": len(losses),
        "neither": sum(losses),
        "num_after": len(after),
        "durable": sum(after),
        "operations": _summary(operations),
    }


def _moved(operation: Operation, directory: Path, target: Path) -> Operation:
    """Return the operation with its paths in another directory."""
    path, other = (
        text.replace(str(directory), str(target), 1) for text in (operation.path, operation.target)
    )
    return Operation(operation.kind, path, other, operation.offset, operation.data)


def _require_complete(final: Disk, directory: Path) -> None:
    """Stop where the recorded operations do not make the files that are there."""
    there = {path.name: path.read_bytes() for path in directory.iterdir()}
    if final.content() != there:
        raise RuntimeError(f"not everything was recorded: {sorted(there)}")


def _loads(loads: Any, directory: Path, state: Directory) -> str:
    """Put the state into the directory and load from it."""
    for path in directory.iterdir():
        path.unlink()
    for name, content in state.items():
        (directory / name).write_bytes(content)
    return str(loads())


def _summary(operations: list[Operation]) -> list[str]:
    """Name the operations, repeated ones once with their number."""
    kinds = [(kind, len(list(group))) for kind, group in groupby(one.kind for one in operations)]
    return [kind if number == 1 else f"{number} × {kind}" for kind, number in kinds]
