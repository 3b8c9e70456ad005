"""The settings that a sweep tries: a YAML mapping from a setting's dotted name to what it may be.

``[0.1, 0.2]`` is a list of choices, of any kind; ``{low: 0.01, high: 1, log: true}`` is a range.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from pydantic import Field, model_validator

from ..config.base import Config
from ..config.document import Document, KeyPath, Place
from ..config.loading import validate
from ..config.scalars import render_value
from ..config.source import name_source, read_text
from ..config.yaml_reader import parse_document
from ..errors import ConfigError

EXAMPLE = "write choices, [32, 64], or a range, {low: 0.01, high: 1.0, log: true}"
MOST_POINTS = 10_000


class Range(Config):
    """All numbers from ``low`` to ``high``; whole ones where both ends (and the step) are whole."""

    low: int | float = Field(description="smallest value")
    high: int | float = Field(description="largest value")
    log: bool = Field(default=False, description="whether factors count, not differences")
    step: int | float | None = Field(default=None, gt=0, description="distance between values")

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log: true needs low above 0, and no step")
        if self.step is not None and not math.isclose(self._num_steps, round(self._num_steps)):
            raise ValueError(f"high {self.high:g} is no whole number of steps above low")
        return self

    @property
    def _num_steps(self) -> float:
        return (self.high - self.low) / (self.step or 1)

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 0))

    @property
    def ends(self) -> tuple[str, ...]:
        """The values that a config must take for it to take all: as YAML."""
        return render_value(self.low), render_value(self.high)

    def points(self) -> "list[int | float] | None":
        """Return every value, where they can be counted: with a step, or whole ones."""
        if self.log or (self.step is None and not self.is_whole):
            return None
        if self._num_steps > MOST_POINTS:
            return None
        places = range(round(self._num_steps) + 1)
        return [round(self.low + (self.step or 1) * place, 12) for place in places]


@dataclass(frozen=True)
class Choices:
    """One of several values, each written as YAML."""

    ends: tuple[str, ...]

    def points(self) -> list[str]:
        """Return every value, as YAML."""
        return list(self.ends)


Setting: TypeAlias = Range | Choices


@dataclass(frozen=True)
class Space:
    """The settings to try, by their dotted names."""

    settings: Mapping[str, Setting]

    def as_texts(self) -> dict[str, str]:
        """Return each setting's values in one line: what makes two spaces the same."""
        return {
            name: render_value(
                setting.model_dump() if isinstance(setting, Range) else list(setting.ends)
            )
            for name, setting in self.settings.items()
        }

    def grid(self) -> list[dict[str, Any]]:
        """Return every combination of values; raises ConfigError where there is no end of them."""
        points = {name: setting.points() for name, setting in self.settings.items()}
        endless = [name for name, values in points.items() if values is None]
        if endless:
            raise ConfigError(
                "--sampler grid: needs choices or a range with a step, which these are not: "
                + ", ".join(endless)
            )
        lists = [values for values in points.values() if values is not None]
        if (number := math.prod(map(len, lists))) > MOST_POINTS:
            raise ConfigError(f"--sampler grid: {number:,} combinations; at most {MOST_POINTS:,}")
        return [dict(zip(points, values, strict=True)) for values in product(*lists)]


def load_space(path: str) -> Space:
    """Read a space from a YAML file, or ``-``.

    Raises ConfigError with a line for each setting that is neither choices nor a range.
    """
    document = parse_document(read_text(path), name_source(path))
    settings, findings = {}, []
    for name, value in document.tree.items():
        try:
            settings[name] = _read_setting(document, name, value)
        except ConfigError as finding:
            findings.append(str(finding))
    if findings:
        raise ConfigError("\n".join(findings))
    if not settings:
        raise ConfigError(f"{name_source(path)}: no setting to try; {EXAMPLE} behind its name")
    return Space(settings)


def _read_setting(document: Document, name: str, value: Any) -> Setting:
    place = document.place_of_value((name,))
    if isinstance(value, list):
        return _read_choices(value, f"{place}: {name}")
    if isinstance(value, dict) and value.keys() & set(Range.model_fields):
        inner = Document(value, _below(document.keys, name), _below(document.values, name))
        return validate(inner, Range)
    dotted = isinstance(value, dict) and value
    advice = f"name settings with dots, {name}.{next(iter(value))}; " if dotted else ""
    raise ConfigError(f"{place}: {name}: {advice}{EXAMPLE}")


def _read_choices(values: Sequence[Any], where: str) -> Choices:
    texts = tuple(map(render_value, values))
    if len(texts) < 2 or len(set(texts)) < len(texts):
        raise ConfigError(f"{where}: {render_value(values)}: choices are two or more, each once")
    return Choices(texts)


def _below(places: Mapping[KeyPath, Place], name: str) -> dict[KeyPath, Place]:
    """Return the places of what stands below ``name``, as if that were the whole document."""
    return {path[1:]: place for path, place in places.items() if path[:1] == (name,)}
