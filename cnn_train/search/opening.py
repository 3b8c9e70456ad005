"""Begin a sweep's study, or join in with one that other processes are working on."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from ..config.differences import differences
from ..errors import UsageError, in_one_line
from ..machine.file_lock import acquire
from ..machine.optional_library import require_libraries
from ..random_streams import derive_seed
from .space import Space
from .study import Study

SamplerName = Literal["tpe", "random", "grid"]

ABOUT = "about"
"""The name under which a study keeps what it is about: settings, space, sampler."""

TRIALS_BEFORE_PRUNING = 5
"""So many must be complete before one is stopped because it is below their median."""


def open_study(
    space: Space,
    about: Mapping[str, Any],
    folder: Path,
    *,
    storage: str | None = None,
    sampler: SamplerName = "tpe",
    num_trials: int = 20,
    prunes: bool = True,
    maximizes: bool = True,
    seed: int = 0,
) -> Study:
    """Begin the study of ``folder``, or join in where there is one already.

    about: the settings that all trials share. storage: the URL of a database; None: a journal file
    in ``folder``. Raises UsageError where Optuna is not installed, where the storage cannot be
    used, or where the study there is about something else; ConfigError as :meth:`Space.grid` does.
    """
    optuna = _load_optuna()
    points = space.grid() if sampler == "grid" else []
    text = json.dumps({"settings": about, "space": space.as_texts(), "sampler": sampler})
    about = json.loads(text)  # as the storage will return it
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        reason = f"cannot make {folder.name} ({problem.strerror})"
        raise UsageError(f"--run-root {folder.parent}: {reason}") from None
    with acquire(folder / ".lock", when_busy=lambda: None):
        try:
            study = optuna.create_study(
                storage=_open_storage(optuna, folder, storage),
                study_name=folder.name,
                direction="maximize" if maximizes else "minimize",
                load_if_exists=True,
                pruner=_make_pruner(optuna) if prunes else optuna.pruners.NopPruner(),
            )
        except Exception as problem:  # of any database's driver
            where = f"--storage {storage}" if storage else folder / "study.journal"
            raise UsageError(f"{where}: {in_one_line(problem)}") from None
        if (known := study.user_attrs.get(ABOUT)) is None:
            for point in points:
                study.enqueue_trial(point)
            study.set_user_attr(ABOUT, about)
        elif changes := differences(known, about):
            raise UsageError(
                f"{folder}: this sweep is about other settings "
                f"({'; '.join(map(str, changes[:3]))}); give another --name, or remove it"
            )
    make_sampler = _sampler_maker(optuna, sampler, seed)
    return Study(study, space, folder, 0 if points else num_trials, make_sampler)


def _sampler_maker(optuna: Any, name: SamplerName, seed: int) -> Callable[[int], Any]:
    """Return what makes each trial's sampler, whose seed no other trial has, in any process."""
    kind = optuna.samplers.TPESampler if name == "tpe" else optuna.samplers.RandomSampler
    return lambda number: kind(seed=derive_seed(seed, "sweep", number) % 2**32)


def _load_optuna() -> Any:
    require_libraries("sweep", "optuna", extra="sweep")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _open_storage(optuna: Any, folder: Path, url: str | None) -> Any:
    if url is not None:
        return url
    file = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    return optuna.storages.JournalStorage(file)


def _make_pruner(optuna: Any) -> Any:
    """Stop what is below the median of the complete trials at the same epoch, but for the first."""
    return optuna.pruners.MedianPruner(n_startup_trials=TRIALS_BEFORE_PRUNING, n_warmup_steps=1)
