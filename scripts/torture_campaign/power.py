"""Simulated power loss: every state that a file system may leave of a recorded save."""

import shutil
from collections.abc import Iterator
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
        found = lose_power(campaign, kind)
        kept = Count(found["num_states"] - found["neither"], found["num_states"])
        plain_kept = Count(plain["num_states"] - plain["neither"], plain["num_states"])
        yield Row(PART, name, kept, plain_kept, f"after {', '.join(found['operations'])}")
        if kind == "run":
            yield Row(
                PART, "a save that has returned survives power loss",
                Count(found["durable"], found["num_after"]),
                Count(plain["durable"], plain["num_after"]),
            )  # fmt: skip


def lose_power(campaign: Campaign, kind: str, replaced_by: str = "") -> dict[str, Any]:
    """Lose the power in one kind of save, in a child; see ``count_states``."""
    answer: dict[str, Any] = campaign.server.call(
        "torture_campaign.power:count_states",
        kind=kind,
        states=campaign.two_states,
        replaced_by=replaced_by,
    )
    return answer


def count_states(kind: str, states: tuple[str, str], replaced_by: str = "") -> dict[str, Any]:
    """Record a save, then load from every state that a crash may leave.

    Returns ``num_states``, in how many of them ``neither`` state loads, ``num_after`` and
    ``durable``: the states possible once the save has returned, and those in which the new one
    loads; and the kinds of ``operations``, in their order.
    """
    with TemporaryDirectory() as scratch:
        before, directory = Path(scratch) / "before", Path(scratch) / "now"
        directory.mkdir()
        save = make_save(kind, directory, states, replaced_by)
        save.prepare()
        _copy(directory, before)
        operations = record(save.save)
        moved = [_moved(operation, directory, before) for operation in operations]
        final = _replay(before, moved)
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


def record(function: Any) -> list[Operation]:
    """Call ``function`` and return what it does to files."""
    operations: list[Operation] = []
    with watched(operations.append):
        function()
    return operations


def _copy(directory: Path, target: Path) -> None:
    """Copy a directory with its second names."""
    target.mkdir()
    copies: dict[int, Path] = {}
    for path in sorted(directory.iterdir()):
        inode = path.stat().st_ino
        if inode in copies:
            (target / path.name).hardlink_to(copies[inode])
        else:
            copies[inode] = Path(shutil.copyfile(path, target / path.name))


def _moved(operation: Operation, directory: Path, target: Path) -> Operation:
    """Return the operation with its paths in another directory."""
    path, other = (
        text.replace(str(directory), str(target), 1) for text in (operation.path, operation.target)
    )
    return Operation(operation.kind, path, other, operation.offset, operation.data)


def _replay(before: Path, operations: list[Operation]) -> Disk:
    disk = Disk(before)
    for operation in operations:
        disk.apply(operation)
    return disk


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
    kinds: list[list[Any]] = []
    for operation in operations:
        if kinds and kinds[-1][0] == operation.kind:
            kinds[-1][1] += 1
        else:
            kinds.append([operation.kind, 1])
    return [kind if number == 1 else f"{number} × {kind}" for kind, number in kinds]
