"""``scripts/torture``: choose the parts, run them, show the counts as a table and as JSON."""

import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from part_program import JsonPlace, Report, choose_parts, run_program

from cnn_train.errors import UsageError
from cnn_train.machine.device import resolve_device

from .bad_inputs import bad_input_rows
from .campaign import Campaign
from .children import fork_server
from .cost import cost_rows
from .flips import flip_rows
from .full_disk import full_disk_rows
from .hostile_rows import hostile_rows
from .kills import kill_rows
from .power import power_rows
from .requeue import requeue_rows
from .rows import Row, make_table
from .signals import signal_rows
from .system_calls import system_call_rows

PARTS: dict[str, Callable[[Campaign], Iterator[Row]]] = {
    "kills": kill_rows,
    "syscalls": system_call_rows,
    "power": power_rows,
    "flips": flip_rows,
    "inputs": bad_input_rows,
    "hostile": hostile_rows,
    "signals": signal_rows,
    "requeue": requeue_rows,
    "disk": full_disk_rows,
    "cost": cost_rows,
}


def torture(
    only: Annotated[
        str, typer.Option("--only", metavar="NAME,…", help=f"Parts to run: {', '.join(PARTS)}.")
    ] = ",".join(PARTS),
    quick: Annotated[bool, typer.Option("--quick", help="Few attempts: a minute in all.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the random moments.")] = 0,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="Real images for the cost: train/<class>/<image>."),
    ] = None,
    json_to: JsonPlace = None,
) -> None:
    """Do to cnn-train what machines do, count what it survives, beside a plain torch.save loop.

    Exit code 0 if it survived everything, 1 if not.
    """
    parts = choose_parts(only, PARTS)
    if data_root and not data_root.is_dir():
        raise UsageError(f"--data-root {data_root}: no such directory")
    # A shell starts background jobs deaf to Ctrl-C, and the runs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = Report(json_to, resolve_device("cpu"), f"seed {seed}")
    with tempfile.TemporaryDirectory(prefix="cnn-train-torture-") as scratch:
        place = Path(scratch).resolve()
        with fork_server(place) as server:
            campaign = Campaign(quick, seed, place, server, data_root)
            rows = report.run_parts(PARTS, parts, campaign, make_table)
    failures = [f"{row.name}: {failure}" for row in rows for failure in row.failures]
    report.print(*campaign.remarks, *failures)
    documents = [asdict(row) for row in rows]
    report.write(quick=quick, seed=seed, rows=documents, remarks=campaign.remarks)
    if not all(row.is_kept for row in rows):
        raise typer.Exit(1)


if __name__ == "__main__":
    run_program(torture)
