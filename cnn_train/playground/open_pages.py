"""The requests of pages and their answers: one experiment per page, trained on request."""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from threading import Lock
from typing import Any

from ..errors import DivergedError, UsageError
from .experiment import Experiment
from .formula import Place
from .settings import read_address
from .view import view_of_start, view_of_step

MOST_EXPERIMENTS = 16
"""With more pages than this, the page that was idle longest has to start again."""

MOST_STEPS = 2000
"""Of one request, so that the page can react to a click on pause."""


class OpenPages:
    """The experiments that pages drive; several threads may ask at once."""

    def __init__(self) -> None:
        self._experiments: OrderedDict[int, Experiment] = OrderedDict()
        self._numbers = count(1)
        self._lock = Lock()

    def start(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer ``start {address, place, replaced}``: a new experiment.

        ``replaced``: the page's old experiment, which is deleted. Raises ConfigError, UsageError.
        """
        address = asked.get("address")
        if not isinstance(address, str):
            raise UsageError("address: expected the text after the page's #")
        settings, place = read_address(address, "settings"), _place(asked)
        with self._lock:  # the first weights are drawn from torch's one global generator
            experiment = Experiment(settings)
            if asked.get("replaced") is not None:
                self._experiments.pop(_whole_number(asked, "replaced", 2**53), None)
            number = next(self._numbers)
            self._experiments[number] = experiment
            while len(self._experiments) > MOST_EXPERIMENTS:
                self._experiments.popitem(last=False)
            return {
                "experiment": number,
                **view_of_start(experiment),
                "state": view_of_step(experiment, place),
            }

    def advance(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer ``advance {experiment, steps, place}``: the state after 0 or more steps.

        A step that diverges is not an error: the state names the problem. Raises UsageError.
        """
        steps, place = _whole_number(asked, "steps", MOST_STEPS), _place(asked)
        number = _whole_number(asked, "experiment", 2**53)
        with self._lock:
            experiment = self._experiments.get(number)
            if experiment is None:
                raise UsageError(
                    "this page was silent for long and its experiment is gone; press Reset"
                )
            self._experiments.move_to_end(number)
            with suppress(DivergedError):  # the state names the problem
                experiment.advance(steps)
            return view_of_step(experiment, place)


def _place(asked: Mapping[str, Any]) -> Place:
    """Read ``place: {layer, unit, source}``; a source of null is the bias."""
    place = asked.get("place", {"layer": 0, "unit": 0, "source": 0})
    if not isinstance(place, Mapping):
        raise UsageError("place: expected layer, unit and source")
    source = place.get("source")
    return Place(
        _whole_number(place, "layer", 100),
        _whole_number(place, "unit", 100),
        None if source is None else _whole_number(place, "source", 100),
    )


def _whole_number(asked: Mapping[str, Any], name: str, most: int) -> int:
    value = asked.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise UsageError(f"{name}: expected a whole number from 0 to {most}")
    return value
