"""``cnn-train data cache``: what the data directory keeps, and how to make room in it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..data.location import resolve_data_dir
from ..errors import LockedError, counted
from ..page import megabytes
from .console import confirmed, notice, print_json, warn
from .options import DataDirOption, JsonOption, YesOption
from .present import show
from .runs.listing import values_table


def cache(
    clear: Annotated[
        bool, typer.Option("--clear", help="Remove the decoded images, after a question.")
    ] = False,
    yes: YesOption = False,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what the data directory keeps; --clear removes the decoded images in it.

    They are decoded again when needed. Downloads stay, and what is being decoded.
    With --json, nothing is removed without --yes.
    """
    from ..data.kept_files import DECODED, list_kept, remove_decoded

    folder = resolve_data_dir(data_dir)
    rows = [asdict(file) for file in list_kept(folder)]
    decoded = [row for row in rows if row["kind"] == DECODED]
    total = megabytes(sum(row["size"] for row in decoded))
    if rows and not as_json:
        show((values_table(rows),))
    question = f"Remove the decoded images and free {total}?"
    go = clear and bool(decoded) and (yes if as_json else confirmed(question, yes))
    removed = []
    for path in [row["path"] for row in decoded] if go else []:
        try:
            remove_decoded(Path(path))
            removed.append(path)
        except LockedError as busy:
            warn(f"not removed: {busy}")
    if as_json:
        print_json({"data_dir": str(folder), "files": rows, "removed": removed})
    elif clear or not rows:
        gone = f"removed {counted(len(removed), 'file')}"
        notice(gone if clear else f"{folder}: nothing is kept here")
