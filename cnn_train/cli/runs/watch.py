"""``cnn-train runs watch``: follow a run that is trained elsewhere."""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ...page import clock, percent
from ..console import notice, print_json, say
from ..options import JsonOption, OptionalRunArgument, RunRootOption

LOOK_EVERY_SECONDS = 1.0


def watch(
    run: OptionalRunArgument = Path("latest"),
    run_root: RunRootOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """Follow a run: a line per epoch, until it ends. With --json, all epochs at its end.

    It only reads files: Ctrl-C ends the watching and not the training.
    """
    from ...runs.damage import damage_named
    from ...runs.following import follow
    from ...runs.naming import named_run
    from ...runs.summary import read_run

    found = named_run(run, run_root)
    notice(f"watching {found.path}")
    epochs, records = None, []
    with damage_named(found.metrics):
        for record in follow(found, partial(time.sleep, LOOK_EVERY_SECONDS)):
            records.append(record)
            epochs = epochs or read_run(found)[0].epochs  # a run may have begun this moment
            if not as_json:
                say(_describe(record, epochs))
    summary, _ = read_run(found)
    if as_json:
        print_json({"run": vars(summary), "records": records})
    elif summary.damaged:
        notice(f"{found.path}: {summary.damaged}")
    else:
        done = f"{summary.ending} after {summary.epochs_done} of {summary.epochs} epochs"
        say(f"{done}, best validation accuracy {percent(summary.val_accuracy, 2)}")


def _describe(record: Mapping[str, float], epochs: int | None) -> str:
    losses = (f"{part} loss {record[f'{part}_loss']:.4f}" for part in ("train", "val"))
    shares = (percent(record[f"{part}_accuracy"], 2) for part in ("train", "val"))
    figures = "  ".join(f"{loss}  acc {share}" for loss, share in zip(losses, shares, strict=True))
    return f"epoch {record['epoch'] + 1:.0f}/{epochs}  {figures}  {clock(record['seconds'])}"
