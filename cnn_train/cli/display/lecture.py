"""The lecture's chapters as one web page that needs no network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt

from ...lecture.own_chapters import Cell, OwnChapter, encode_picture, with_pictures
from .html import render_document

NOT_RUN = "(your own run takes the place of this training)\n"


def render_chapters(title: str, chapters: Sequence[OwnChapter]) -> str:
    """Render texts, commands with what they printed, and pictures, below a list of chapters."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    parts = []
    for chapter in chapters:
        pieces = [
            _render_cell(part)
            if isinstance(part, Cell)
            else markdown.render(with_pictures(part, chapter.pictures, _show))
            for part in chapter.parts
        ]
        parts.append((chapter.title, _one_level_down("".join(pieces))))
    return render_document(title, parts)


def _one_level_down(body: str) -> str:
    for level in (2, 1):
        for tag in ("<h", "</h"):
            body = body.replace(f"{tag}{level}>", f"{tag}{level + 1}>")
    return body


def _show(words: str, picture: Path) -> str:
    kind, content = encode_picture(picture)
    return f'<img alt="{escape(words)}" src="data:{kind};base64,{content}">'


def _render_cell(cell: Cell) -> str:
    printed = NOT_RUN if cell.printed is None else cell.printed
    return f"<pre><strong>$ {escape(cell.command)}</strong>\n{escape(printed)}</pre>\n"
