"""Pages and figures as one HTML file that needs no network and prints well."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import visible
from ...machine.atomic_file import write_atomically
from ...page import FULL_BLOCK, Block, Column

if TYPE_CHECKING:
    from ...figures.style import Drawing

STYLE = """
:root { color-scheme: light; --ink: #22262b; --grey: #5d636b; --line: #dde0e4; --blue: #0072b2; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: white;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
nav a { margin-right: 1rem; } a { color: var(--blue); }
table { border-collapse: collapse; font-size: .875rem; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0;
  overflow-wrap: break-word; } /* a narrow window scrolls rather than break words */
th { border-bottom: 1px solid var(--line); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.chart { white-space: pre; font: .75rem/1.6 ui-monospace, monospace; }
.bar { display: inline-block; height: .7em; background: var(--blue); }
.wide { overflow-x: auto; } .note { color: var(--grey); font-size: .875rem; margin: .2rem 0; }
pre { background: #f5f6f8; padding: 1rem; font-size: .8125rem; overflow-x: auto; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
@media print { nav { display: none; } img, table, pre { break-inside: avoid; }
  th, td { overflow-wrap: anywhere; } h2 { break-after: avoid; }
  body { margin: 0; max-width: none; font-size: 11pt; } }
"""


@dataclass(frozen=True)
class Section:
    """A part of the file: words and tables, a list of sentences, figures by name, verbatim text.

    A figure may be the path of one that is saved as PNG.
    markup: what is written as it is, above all.
    """

    heading: str
    blocks: tuple[Block, ...] = ()
    points: tuple[str, ...] = ()
    figures: "tuple[tuple[str, Drawing | Path], ...]" = ()
    text: str = ""
    markup: str = ""


def save_html(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Write the sections as one file; ResourceError where the disk is full."""
    write_atomically(path, render_html(title, sections).encode())


def render_html(title: str, sections: Sequence[Section]) -> str:
    """Write the sections below their title; figures are part of the file."""
    return render_document(title, [(part.heading, _render_section(part)) for part in sections])


def render_document(title: str, parts: Sequence[tuple[str, str]]) -> str:
    """Write a whole file: its title, links to its parts, and the parts, by heading (may be "")."""
    links = " ".join(
        f'<a href="#part-{i}">{_words(heading)}</a>'
        for i, (heading, _) in enumerate(parts)
        if heading
    )
    body = "".join(
        f'<section id="part-{i}">\n{content}</section>\n' for i, (_, content) in enumerate(parts)
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_words(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        f"<h1>{_words(title)}</h1>\n<nav>{links}</nav>\n{body}</body>\n</html>\n"
    )


def _words(text: object) -> str:
    return escape(visible(str(text)))


def _render_section(section: Section) -> str:
    points = "".join(f"<li>{_words(point)}</li>" for point in section.points)
    heading = f"<h2>{_words(section.heading)}</h2>\n" if section.heading else ""
    return (
        heading
        + section.markup
        + "".join(map(_render_block, section.blocks))
        + (f"<ul>{points}</ul>\n" if points else "")
        + "".join(_render_figure(name, figure) for name, figure in section.figures)
        + (f"<pre>{_words(section.text)}</pre>\n" if section.text else "")
    )


def _render_block(block: Block) -> str:
    heading = (block.heading,) if isinstance(block.heading, str) else block.heading
    lines = "".join(f"<p>{_words(line)}</p>\n" for line in block.lines)
    notes = "".join(f'<p class="note">{_words(note)}</p>\n' for note in block.notes)
    strong = "".join(f"<p><strong>{_words(line)}</strong></p>\n" for line in heading if line)
    return strong + lines + (_render_table(block) if block.rows else "") + notes


def _render_table(block: Block) -> str:
    head = ""
    if any(column.name for column in block.columns):
        cells = "".join(_cell("th", column.name, column) for column in block.columns)
        head = f"<thead><tr>{cells}</tr></thead>"
    rows = "".join(_render_row(row, block.columns) for row in block.rows)
    return f'<div class="wide"><table>{head}<tbody>{rows}</tbody></table></div>\n'


def _render_row(row: Iterable[str], columns: Iterable[Column]) -> str:
    cells = (_cell("td", text, column) for text, column in zip(row, columns, strict=True))
    return f"<tr>{''.join(cells)}</tr>"


def _cell(tag: str, text: str, column: Column) -> str:
    kind = "number" if column.is_number else "chart" if column.is_chart else ""
    content = _words(text)
    if text and set(text) == {FULL_BLOCK}:
        content = f'<span class="bar" style="width: {len(text) / 3:.2f}rem"></span>'
    return f'<{tag} class="{kind}">{content}</{tag}>' if kind else f"<{tag}>{content}</{tag}>"


def _render_figure(name: str, figure: "Drawing | Path") -> str:
    """Put a figure into the file: as lines where it can be, as pixels where it shows images."""
    from ...figures.saving import render_figure, shows_images

    if isinstance(figure, Path):
        kind, content = "png", figure.read_bytes()
    else:
        suffix, kind = (".png", "png") if shows_images(figure) else (".svg", "svg+xml")
        content, _ = render_figure(figure, suffix)
    data = base64.b64encode(content).decode()
    return f'<img alt="{_words(name)}" src="data:image/{kind};base64,{data}">\n'
