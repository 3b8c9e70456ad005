"""Two states of one real run to save, load, cut and flip: what was saved before, and what is new.

A kind of save is named, so that a forked child can be told which one to make.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cnn_train.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cnn_train.runs.directory import RunDirectory
from cnn_train.runs.states import load_newest, save_state

from . import plain_loop
from .fork_server import resolve
from .tiny_run import same, same_state

LAST = "last.ckpt"
KEEP = 2


@dataclass(frozen=True)
class Save:
    """A way to save, and to judge what came of it.

    prepare: puts the old state there. save: saves the new one over it. loads: which of the two a
    reader gets afterwards, ``old`` or ``new``; ``neither`` if none.
    """

    prepare: Callable[[], object]
    save: Callable[[], None]
    loads: Callable[[], str]


def checkpoint_save(
    directory: Path, old: Path, new: Path, save: Callable[..., None] = save_checkpoint
) -> Save:
    """One checkpoint over another: ``save_checkpoint``."""
    path = directory / LAST
    states = {"old": load_checkpoint(old), "new": load_checkpoint(new)}
    return Save(
        prepare=lambda: shutil.copyfile(old, path),
        save=lambda: save(states["new"], path),
        loads=lambda: _name(lambda: load_checkpoint(path), states, same_state),
    )


def run_save(directory: Path, old: Path, new: Path, save: Callable[..., None] = save_state) -> Save:
    """A run's save: the state, ``best`` and ``last`` as second names, states before it removed."""
    run = RunDirectory(directory)
    states = {"old": load_checkpoint(old), "new": load_checkpoint(new)}

    def prepare() -> None:
        for step in (1, 2):  # older ones, of which one goes when the new one is safe
            shutil.copyfile(old, run.state(step))
        shutil.copyfile(old, run.state(states["old"].step))
        for name in (run.last_checkpoint, run.best_checkpoint):
            os.link(run.state(states["old"].step), name)

    return Save(
        prepare=prepare,
        save=lambda: save(states["new"], run, KEEP, is_best=True),
        loads=lambda: _name(lambda: load_newest(run).checkpoint, states, same_state),
    )


def plain_save(
    directory: Path, old: Path, new: Path, save: Callable[..., None] = plain_loop.save
) -> Save:
    """The student's save in place."""
    path = directory / plain_loop.FILE
    states = {"old": plain_loop.make_state(1), "new": plain_loop.make_state(2)}
    return Save(
        prepare=lambda: torch.save(states["old"], path),
        save=lambda: save(states["new"], path),
        loads=lambda: _name(lambda: torch.load(path), states, same),
    )


KINDS = {"checkpoint": checkpoint_save, "run": run_save, "plain": plain_save}


def make_save(kind: str, directory: Path, states: tuple[str, str], replaced_by: str = "") -> Save:
    """Make one of KINDS between two checkpoint files; ``replaced_by``: another saving function."""
    old, new = map(Path, states)
    more = {"save": resolve(replaced_by)} if replaced_by else {}
    return KINDS[kind](directory, old, new, **more)


def _name(load: Callable[[], Any], states: dict[str, Any], equal: Callable[..., bool]) -> str:
    """Say which of the states ``load`` returns."""
    try:
        loaded = load()
    except Exception:
        return "neither"
    return next((name for name, state in states.items() if equal(loaded, state)), "neither")
