"""Write what was measured where people read it: docs/zoo.json, the page, pictures, headers."""

from collections.abc import Mapping
from pathlib import Path

from publishing import fill_between, set_header_fact

from cnn_train.figures.saving import save_figure

from .figures import draw_costs, draw_losses
from .page import render_page
from .records import RowRecord, save_rows
from .summary import measured_words, summarize_rows

JSON = Path("docs") / "zoo.json"
PAGE = Path("docs") / "zoo.md"
BEGIN = "<!-- scripts/zoo writes what stands from here to the next such line -->\n"
END = "<!-- end of what scripts/zoo writes -->\n"


def publish(rows: Mapping[str, RowRecord], repository: Path) -> None:
    """Write every place; a config's header has the figures of the row that changes nothing in it.

    Configs whose rows are not measured keep their headers.
    """
    save_rows(rows, repository / JSON)
    summaries = summarize_rows(rows)
    if summaries:
        pictures = repository / "docs" / "images"
        save_figure(draw_costs(summaries), pictures / "zoo_costs.png")
        save_figure(draw_losses(summaries), pictures / "zoo_losses.png")
    fill_between(repository / PAGE, BEGIN, END, render_page(summaries, dict(rows)) + "\n")
    for row in summaries:
        path = repository / "configs" / f"{row.recipe.config}.yaml"
        if not row.recipe.settings:
            text = set_header_fact(path.read_text("utf-8"), "Measured", measured_words(row))
            path.write_text(set_header_fact(text, "Hardware", row.hardware), "utf-8")
