"""Tables as CSV text (RFC 4180) in which a spreadsheet finds no formula."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for a command (OWASP, "CSV Injection"); the last four: in Japan."""


def to_csv(rows: Iterable[Iterable[object]]) -> str:
    """Return ``rows``, lines ended by CRLF, None as an empty cell, numbers in full.

    Text that begins like a formula gets an apostrophe before it. A path gets ``./``: it leads to
    the same file.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows(map(_harmless, row) for row in rows)
    return text.getvalue()


def _harmless(cell: object) -> object:
    if not isinstance(cell, str | Path) or not str(cell).startswith(FORMULA_STARTS):
        return cell
    return f"./{cell}" if isinstance(cell, Path) else f"'{cell}"
