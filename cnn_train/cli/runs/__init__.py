"""``cnn-train runs``: list what was trained here; follow one, remove some."""

from pathlib import Path
from typing import Annotated

import typer

from ...errors import UsageError
from ..console import notice, print_json
from ..options import JsonOption, RunRootOption
from ..present import show
from ..strict_command import StrictGroup
from .removal import prune, remove
from .watch import watch

app = typer.Typer(cls=StrictGroup, invoke_without_command=True)
for command in (watch, remove, prune):
    app.command()(command)


def _split(names: str | None) -> list[str]:
    return [name for part in (names or "").split(",") if (name := part.strip())]


@app.callback()
def runs(
    context: typer.Context,
    sort: Annotated[
        str | None, typer.Option(metavar="[-]NAME", help="Smallest first; -NAME: largest first.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Only these: model=resnet20, 'optimizer.lr>=0.1' (= != < <= > >=); repeatable.",
        ),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Show these: optimizer.lr,seed,size")
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Mean and deviation of runs alike in these.")
    ] = None,
    run_root: RunRootOption = Path("runs"),
    as_json: JsonOption = False,
) -> None:
    """List the runs, oldest first, with their results; follow or remove some.

    NAME: a column of --json, name, size, or any setting, as optimizer.lr.

    Wherever a run is asked for, runs/latest is the run started or resumed last;
    runs/best is that of highest validation accuracy among all that were
    measured on the same images as runs/latest.
    """
    if context.invoked_subcommand is not None:
        _refuse_lost_options(context)
        return
    from ...runs import listing
    from ...runs.directory import with_root
    from .listing import runs_table, values_table

    if columns and group_by:
        raise UsageError("--columns and --group-by: choose one")
    found, names = listing.read_runs(run_root), _split(columns)
    if not found and not as_json:
        train = with_root("cnn-train fit --config CONFIG", run_root)
        notice(f"no runs below {run_root}; train one with: {train}")
        return
    listing.check_names(names, found, "--columns")
    chosen = listing.select(found, where or ())
    chosen = listing.sort(chosen, sort) if sort else chosen
    if group_by:
        rows = listing.group(chosen, _split(group_by))
    else:
        rows = [vars(run.summary) | {name: run.value(name) for name in names} for run in chosen]
    lost = len([run for run in found if run.summary.damaged and run not in chosen])
    if lost or (found and not chosen):
        notice(f"{len(chosen):,} of {len(found):,} runs fulfil this; {lost:,} damaged left out")
    if as_json:
        print_json({"groups" if group_by else "runs": rows})
    elif rows:
        if names:
            shown = ("run_dir", *names, "val_accuracy")
            rows = [{name: row[name] for name in shown} for row in rows]
        plain = not (names or group_by)
        show((runs_table([run.summary for run in chosen]) if plain else values_table(rows),))


def _refuse_lost_options(context: typer.Context) -> None:
    """Refuse options of the list that stand before another command, where nobody reads them."""
    command = context.invoked_subcommand
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(
                f"{option.opts[0]}: no use before `{command}`, whose own options stand behind it: "
                f"cnn-train runs {command} --help"
            )
