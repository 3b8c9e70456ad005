"""The configs that ship with the program, found by name wherever it is installed."""

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from ..errors import ConfigError
from .spelling import nearest

PACKAGE = Path(__file__).parents[1]


def shipped_configs() -> dict[str, Path]:
    """Return the path of every shipped config by its name.

    A wheel carries them inside the package; a clone has them at the top of its tree.
    """
    inside = PACKAGE / "recipes"
    folder = inside if inside.is_dir() else PACKAGE.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


@dataclass(frozen=True)
class Header:
    """The comment that a shipped config begins with: what it is, and facts such as ``Measured``."""

    summary: str
    facts: dict[str, str]


def read_header(text: str) -> Header:
    """Read the comment on top of a config; the further lines of a fact are indented."""
    top = "\n".join(takewhile(lambda line: line.startswith("#"), text.splitlines()))
    summary, _, rest = re.sub("\n# {2,}", " ", top).partition("\n")
    return Header(summary.lstrip("# "), dict(re.findall("^# (\\w+): +(.+)$", rest, re.MULTILINE)))


def read_shipped(config: Path) -> bytes:
    """Read the shipped config that ``config``, which is no file, names: ``resnet20``.

    Raises ConfigError where none has that name.
    """
    shipped = shipped_configs()
    if str(config) in shipped:
        return shipped[str(config)].read_bytes()
    raise ConfigError(f"{config}: no such config file; {_advice(config, list(shipped))}")


def _advice(config: Path, names: list[str]) -> str:
    if config.stem in names:
        return f"did you mean {config.stem!r}, which ships with cnn-train?"
    if config.name != str(config) or config.suffix:
        return "check the path, or give - to read standard input"
    guess = nearest(config, names)
    meant = f"did you mean {guess!r}? " if guess else ""
    return f"{meant}these ship with cnn-train: {', '.join(names)}"
