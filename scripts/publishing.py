"""Put measured figures where they are read: between two marks of a page, into a config's header."""

import re
import textwrap
from pathlib import Path

WIDTH = 98


def fill_between(path: Path, begin: str, end: str, text: str) -> None:
    """Replace what stands between two marks of a page, each a line of its own."""
    before, _, rest = path.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}", "utf-8")


def set_header_fact(config_text: str, name: str, value: str) -> str:
    """Give a fact of a config's header, which has it already, another value."""
    label = f"# {name}:".ljust(12)
    lines = textwrap.fill(
        value, WIDTH, initial_indent=label, subsequent_indent="#".ljust(12), break_on_hyphens=False
    )
    known = re.compile(rf"^# {name}: .*\n(?:#  .*\n)*", re.MULTILINE)
    return known.sub(lambda _: lines + "\n", config_text, count=1)
