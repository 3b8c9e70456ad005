"""Put measured figures where they are read: between two marks of a page, into a config's header."""

import re
import textwrap
from pathlib import Path

from cnn_train.errors import UsageError
from cnn_train.machine.atomic_file import write_anew

WIDTH = 98


def fill_between(path: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between two marks of a page; UsageError where each is not there once."""
    page = path.read_text("utf-8")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if (page.count(begin), rest.count(end)) != (1, 1):
        raise UsageError(f"{path}: needs these two lines once: {begin.strip()} and {end.strip()}")
    write_anew(path, f"{before}{begin}\n{text}\n{end}{after}".encode())


def set_header_fact(config: Path, name: str, value: str) -> None:
    """Give a fact of a config's header another value; UsageError where it has none such."""
    label = f"# {name}:".ljust(12)
    lines = textwrap.fill(
        value, WIDTH, initial_indent=label, subsequent_indent="#".ljust(12), break_on_hyphens=False
    )
    known = re.compile(rf"^# {name}: .*\n(?:#  .*\n)*", re.MULTILINE)
    text, number = known.subn(lambda _: lines + "\n", config.read_text("utf-8"), count=1)
    if not number:
        raise UsageError(f"{config}: its header has no line '# {name}: …'")
    write_anew(config, text.encode())
