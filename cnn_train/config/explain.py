"""Write a validated experiment as YAML that loads back to an equal one."""

from collections.abc import Iterator

from pydantic import BaseModel

from .scalars import render_value

INDENT = "  "

# A longer setting (a path, a list) pushes only its own comment to the right, not everyone's.
MAX_COMMENT_COLUMN = 44

# The fields that say which component a section configures.
TAGS = ("name", "kind")


def render_yaml(experiment: BaseModel) -> str:
    """Render every setting, defaults included, as block YAML without comments."""
    return "".join(f"{setting}\n" for setting, _ in _lines(experiment, depth=0))


def explain(experiment: BaseModel) -> str:
    """Render every setting with its description as a comment, all comments in one column."""
    lines = list(_lines(experiment, depth=0))
    widths = [len(setting) for setting, _ in lines]
    column = max((width for width in widths if width < MAX_COMMENT_COLUMN), default=0)
    return "".join(
        f"{setting:<{column}}  # {meaning}\n" if meaning else f"{setting}\n"
        for setting, meaning in lines
    )


def _lines(section: BaseModel, depth: int) -> Iterator[tuple[str, str]]:
    """Yield each setting's line and its description, sections before what they hold."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        meaning = " ".join((field.description or _first_sentence(section, name)).split())
        key = f"{INDENT * depth}{name}:"
        if isinstance(value, BaseModel) and type(value).model_fields:
            yield key, meaning
            yield from _lines(value, depth + 1)
        else:
            yield f"{key} {'{}' if isinstance(value, BaseModel) else render_value(value)}", meaning


def _first_sentence(section: BaseModel, field_name: str) -> str:
    """Say what the component named by a tag is, in the first line of its class's docstring."""
    if field_name not in TAGS:
        return ""
    first_line, *_ = (type(section).__doc__ or "").strip().split("\n")
    return first_line.removesuffix(".")
