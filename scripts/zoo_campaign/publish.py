"""Write what was measured where people read it: a table's JSON, its page, pictures, headers."""

from collections.abc import Mapping
from pathlib import Path

from publishing import fill_between, set_header_fact

from cnn_train.figures.saving import save_figure

from .figures import draw_costs, draw_losses
from .page import render_page
from .records import RowRecord, save_rows
from .summary import measured_words, summarize_rows

TABLE = Path("docs") / "zoo.json"
BEGIN = "<!-- scripts/zoo writes what stands from here to the next such line -->\n"
END = "<!-- end of what scripts/zoo writes -->\n"


def page_of(table: Path) -> Path:
    """Return where the page of a table lies."""
    return table.with_suffix(".md")


def publish(rows: Mapping[str, RowRecord], table: Path) -> None:
    """Write the table and its page, which is made where there is none."""
    save_rows(rows, table)
    if not page_of(table).exists():
        page_of(table).write_text(f"# {table.stem}\n\n{BEGIN}{END}", "utf-8")
    fill_between(page_of(table), BEGIN, END, render_page(summarize_rows(rows), rows) + "\n")


def publish_around(rows: Mapping[str, RowRecord], repository: Path) -> None:
    """Draw the pictures of the project's own table, and fill the headers of configs.

    A header has the figures of the row that changes nothing in its config. Configs whose rows are
    not measured keep theirs.
    """
    if not (summaries := summarize_rows(rows)):
        return
    pictures = repository / "docs" / "images"
    save_figure(draw_costs(summaries), pictures / "zoo_costs.png")
    save_figure(draw_losses(summaries), pictures / "zoo_losses.png")
    for row in summaries:
        if not row.recipe.settings:
            config = repository / "configs" / f"{row.recipe.config}.yaml"
            set_header_fact(config, "Measured", measured_words(row))
            set_header_fact(config, "Hardware", row.all_hardware)
