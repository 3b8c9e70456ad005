"""Write a validated experiment as YAML that loads back to an equal one."""

from collections.abc import Iterator
from textwrap import wrap

from pydantic import BaseModel

from .scalars import render_value

# A setting longer than this (a path, a list) moves only its own comment to the right.
MAX_COMMENT_COLUMN = 44

# In letters: in a narrower window, lines are longer than the window.
NARROWEST_COMMENT = 16

# The fields that say which component a section configures.
TAGS = ("name", "kind")


def render_yaml(experiment: BaseModel) -> str:
    """Render every setting, defaults included, as block YAML without comments."""
    return "".join(f"{setting}\n" for setting, _ in _lines(experiment, depth=0))


def explain(experiment: BaseModel, width: int | None = None) -> str:
    """Render every setting with its description as a comment, all comments in one column.

    With a ``width``, a longer comment continues in the next line; a setting is never broken.
    """
    lines = list(_lines(experiment, depth=0))
    most = min(MAX_COMMENT_COLUMN, width // 2) if width else MAX_COMMENT_COLUMN
    column = max((len(setting) for setting, _ in lines if len(setting) < most), default=0)
    return "".join(
        f"{line}\n"
        for setting, meaning in lines
        for line in _comment(setting, meaning, column, width)
    )


def _comment(setting: str, meaning: str, column: int, width: int | None) -> list[str]:
    """Write a setting's meaning to its right, from ``column`` on, over several lines if needed."""
    if not meaning:
        return [setting]
    whole = f"{setting:<{column}}  # {meaning}"
    if width is None or len(whole) <= width:
        return [whole]
    room = max(width - column - len("  # "), NARROWEST_COMMENT)
    pieces = wrap(meaning, room, break_on_hyphens=False, break_long_words=False)
    first = [f"{setting:<{column}}  # {pieces.pop(0)}"] if len(setting) <= column else [setting]
    return first + [f"{'':<{column}}  # {piece}" for piece in pieces]


def _lines(section: BaseModel, depth: int) -> Iterator[tuple[str, str]]:
    """Yield each setting's line and its description, sections before what they hold."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        meaning = " ".join((field.description or "").split())
        if name in TAGS and not meaning:  # what the component is: its class's first line
            meaning = (type(section).__doc__ or "").strip().partition("\n")[0].removesuffix(".")
        key = f"{'  ' * depth}{name}:"
        if isinstance(value, BaseModel) and type(value).model_fields:
            yield key, meaning
            yield from _lines(value, depth + 1)
        else:
            yield f"{key} {'{}' if isinstance(value, BaseModel) else render_value(value)}", meaning
