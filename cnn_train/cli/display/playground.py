"""What an experiment of the playground looks like in the terminal, and as a picture."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from ...errors import counted
from ...page import Block, numbers, percent
from ...playground.experiment import Measures
from ...playground.formula import Place, name_place, write_formula
from ...playground.headless import HeadlessRun
from ...playground.view import VIEW_REACH, surface
from ..console import stdout
from ..present import render_table

SURFACE_COLUMNS = 44
NARROWEST_SIDE_BY_SIDE = 100
MOST_ROWS = 10
SHADES = "Oo +#"
"""From certainly orange over undecided to certainly blue, where there are no colours."""


def show_run(run: HeadlessRun) -> None:
    """Print what was trained, how its losses fell, the surface, and the last step's formula."""
    settings = run.experiment.settings
    sizes = "–".join(str(size) for size in (len(settings.features), *settings.hidden, 2))
    activation = settings.activation if settings.hidden else "no hidden layer"
    parameters = sum(p.numel() for p in run.experiment.network.parameters())
    stdout.print(
        f"{settings.dataset}: {len(run.experiment.train)} training and "
        f"{len(run.experiment.test)} test points; network {sizes} ({activation}), "
        f"{parameters} parameters; {counted(run.experiment.step, 'step')}",
        soft_wrap=True,
    )
    records, picture = _record_table(run.records), _render_surface(run)
    if stdout.width >= NARROWEST_SIDE_BY_SIDE:
        side_by_side = Table.grid(padding=(0, 4))
        side_by_side.add_row(records, picture)
        stdout.print(side_by_side)
    else:
        stdout.print(records, "\n", picture, sep="")
    stdout.print()
    stdout.print(_formula_table(run))


def _record_table(records: Sequence[Measures]) -> Table:
    """Show up to ten epochs, counted from 1: every n-th up to the last."""
    headings = ("epoch", "loss", "test loss", "accuracy", "test accuracy")
    stride = -(-len(records) // MOST_ROWS)
    rows = [
        (str(epoch), f"{record.train_loss:.4f}", f"{record.test_loss:.4f}",
         percent(record.train_accuracy), percent(record.test_accuracy))
        for epoch, record in enumerate(records, 1) if (len(records) - epoch) % stride == 0
    ]  # fmt: skip
    last = {len(rows) - 1: "bold"}
    return render_table(Block(columns=numbers(*headings), rows=(*rows,), row_styles=last))


def _render_surface(run: HeadlessRun) -> Text:
    """Draw the decision surface with two characters per cell, which is then about square."""
    leads = surface(run.experiment, SURFACE_COLUMNS // 2).tolist()
    colours = stdout.is_terminal and not stdout.no_color
    picture = Text(no_wrap=True)
    for number, row in enumerate(leads):
        picture.append("\n" if number else "")
        for lead in row:
            if colours:
                picture.append("██", _colour(lead))
            else:
                picture.append(2 * SHADES[round((lead + 1) / 2 * (len(SHADES) - 1))])
    return picture


def _colour(lead: float) -> str:
    """Mix white with orange or blue, as the page does."""
    pole = (213, 94, 0) if lead < 0 else (0, 114, 178)
    mixed = (round(255 + 0.8 * abs(lead) * (part - 255)) for part in pole)
    return "rgb({},{},{})".format(*mixed)


def _formula_table(run: HeadlessRun) -> Table:
    """Show the learning rule and the last step's numbers for the first weight."""
    first, experiment = Place(), run.experiment
    heading = f"step {experiment.step:,}, {name_place(first, experiment.settings)}"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("learning rule", style="dim")
    table.add_column("formula", no_wrap=True)
    table.add_column(heading, no_wrap=True)
    for line in write_formula(experiment, first):
        table.add_row(line.name, line.symbols, line.numbers)
    return table


def draw_run(run: HeadlessRun, path: Path) -> None:
    """Write the surface with its points and the loss curves as a picture."""
    from ...figures.decision_surface import draw_decision_surface
    from ...figures.saving import save_figure

    settings, last = run.experiment.settings, run.records[-1]
    train, test = run.experiment.train, run.experiment.test
    figure = draw_decision_surface(
        surface(run.experiment, 120),
        VIEW_REACH,
        (train.points_N2, train.labels_N),
        (test.points_N2, test.labels_N),
        ([epoch.train_loss for epoch in run.records], [epoch.test_loss for epoch in run.records]),
        f"{settings.dataset}: {percent(last.test_accuracy)} of the test points right "
        f"after {counted(len(run.records), 'epoch')}",
    )
    save_figure(figure, path)
