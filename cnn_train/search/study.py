"""A study: which settings were tried and how well they did, shared by all who work on it.

Optuna chooses the settings and keeps the study, in a journal file or a database. A worker holds a
lock file while it works on a trial; a trial under way whose lock is free was lost, and whoever
comes next goes on with it.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..config.scalars import render_value
from ..errors import LockedError
from ..machine.file_lock import acquire
from .space import Choices, Setting, Space

if TYPE_CHECKING:
    import optuna

PROBLEM = "problem"
"""The name under which a trial keeps why it failed, or could not be trained to its end."""

STATES = ("complete", "pruned", "running", "waiting", "fail")


@dataclass(frozen=True)
class Trial:
    """One choice of settings, and what came of it.

    state: complete, pruned, running, waiting or fail. value: of the best epoch, or of a pruned
    trial's last one; None where no epoch is complete. settings: as YAML, by name.
    """

    number: int
    state: str
    value: float | None
    epochs: int
    settings: dict[str, str]
    problem: str | None = None


@dataclass(frozen=True)
class Study:
    """What is searched, and where it is kept.

    num_trials: to begin, but for those of a grid. make_sampler: by a trial's number, what chooses
    its settings.
    """

    optuna_study: "optuna.Study"
    space: Space
    folder: Path
    num_trials: int
    make_sampler: "Callable[[int], optuna.samplers.BaseSampler]"

    @property
    def maximizes(self) -> bool:
        """Whether a larger value is better."""
        return self.optuna_study.direction.name == "MAXIMIZE"

    def claims(self) -> Iterator["Claim"]:
        """Yield one trial after the other for this process alone, lost ones first.

        It ends when none is left to begin, even if other processes still work on some.
        """
        while True:
            with ExitStack() as held:
                with acquire(self.folder / ".lock", when_busy=lambda: None):  # for a moment
                    claim = self._claim_lost(held) or self._claim_new(held)
                if claim is None:
                    return
                yield claim

    def _claim_lost(self, held: ExitStack) -> "Claim | None":
        import optuna

        running = (optuna.trial.TrialState.RUNNING,)
        for trial in self.optuna_study.get_trials(deepcopy=False, states=running):
            lock = self._lock(trial.number)
            if lock.exists() and _is_free(lock, held):
                again = optuna.trial.Trial(self.optuna_study, trial._trial_id)
                return Claim(self, again, is_lost=True)
        return None

    def _claim_new(self, held: ExitStack) -> "Claim | None":
        states = [trial.state.name for trial in self.optuna_study.get_trials(deepcopy=False)]
        if len(states) >= self.num_trials and "WAITING" not in states:
            return None
        self.optuna_study.sampler = self.make_sampler(len(states))
        trial = self.optuna_study.ask()
        assert _is_free(self._lock(trial.number), held), "nobody else knows this number"
        return Claim(self, trial, is_lost=False)

    def _lock(self, number: int) -> Path:
        return self.folder / f".trial-{number:03}.lock"

    def trials(self) -> list[Trial]:
        """Return all trials: complete ones first, the best of them first, failed ones last."""
        sign = -1 if self.maximizes else 1

        def rank(trial: Trial) -> tuple[int, float, int]:
            value = math.inf if trial.value is None else sign * trial.value
            return STATES.index(trial.state), value, trial.number

        frozen = self.optuna_study.get_trials(deepcopy=False)
        return sorted(map(self._read, frozen), key=rank)

    def _read(self, trial: "optuna.trial.FrozenTrial") -> Trial:
        values, state = trial.intermediate_values, trial.state.name.lower()
        last = values[max(values)] if values else None
        chosen = trial.params or trial.system_attrs.get("fixed_params", {})
        return Trial(
            trial.number,
            state,
            trial.value if state == "complete" else last,
            len(values),
            {name: as_yaml(chosen[name]) for name in self.space.settings if name in chosen},
            trial.user_attrs.get(PROBLEM),
        )


@dataclass(frozen=True)
class Claim:
    """A trial that this process works on. is_lost: another one began it and ended meanwhile."""

    study: Study
    trial: "optuna.Trial"
    is_lost: bool

    @property
    def number(self) -> int:
        """The trial's number, from 0."""
        return self.trial.number

    def settings(self) -> dict[str, str]:
        """Choose a value for each setting, as YAML; asked again, they are the same."""
        space = self.study.space.settings
        return {name: as_yaml(_suggest(self.trial, name, space[name])) for name in space}

    def should_stop(self, epoch: int, value: float) -> bool:
        """Report the value of an epoch; say whether the trial is not worth going on with."""
        known = self.study.optuna_study.get_trials(deepcopy=False)[self.number].intermediate_values
        if epoch not in known:  # a lost trial goes on from an earlier state
            self.trial.report(value, epoch)
        return self.trial.should_prune()

    def complete(self, value: float) -> None:
        """Record the value of the best epoch."""
        self.study.optuna_study.tell(self.number, value)

    def prune(self, problem: str | None = None) -> None:
        """Record that the trial was stopped, and the problem where there was one."""
        self._end("PRUNED", problem)

    def fail(self, problem: str) -> None:
        """Record that these settings cannot be trained, and why."""
        self._end("FAIL", problem)

    def _end(self, state: str, problem: str | None) -> None:
        import optuna

        if problem:
            self.trial.set_user_attr(PROBLEM, problem)
        self.study.optuna_study.tell(self.number, state=optuna.trial.TrialState[state])


def _suggest(trial: "optuna.Trial", name: str, setting: Setting) -> str | int | float:
    if isinstance(setting, Choices):
        return str(trial.suggest_categorical(name, setting.ends))
    low, high, step, log = setting.low, setting.high, setting.step, setting.log
    if setting.is_whole:
        return trial.suggest_int(name, int(low), int(high), step=int(step or 1), log=log)
    return trial.suggest_float(name, low, high, step=step, log=log)


def as_yaml(value: str | int | float) -> str:
    """Write a suggested value as YAML, with six digits at most; a choice is YAML already."""
    if isinstance(value, float):
        value = float(f"{value:.6g}")
    return value if isinstance(value, str) else render_value(value)


def _is_free(path: Path, held: ExitStack) -> bool:
    """Take a lock and hold it, unless another process has it."""

    def refuse() -> NoReturn:
        raise LockedError(str(path))

    try:
        held.enter_context(acquire(path, when_busy=refuse))
    except LockedError:
        return False
    return True
