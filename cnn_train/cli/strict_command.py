"""How a command reads its words: no value twice, ``~`` is the home, settings go with ``--set``."""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

from ..errors import UsageError, visible


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except Exception as wrong:
        if hasattr(wrong, "message"):
            wrong.message = visible(_with_guess(wrong.message))
        raise


def _with_guess(message: str) -> str:
    """Add what a word that is none of the choices may mean."""
    from ..config.spelling import nearest

    message = message.replace("Value error, ", "")
    refused = re.search(r"'(.*)' is not one of (.*)\.$", message)
    guess = refused and nearest(refused[1], re.findall("'(.*?)'", refused[2]))
    return f"{message} Did you mean {guess!r}?" if guess else message


class Group(TyperGroup):
    """Commands; a name that is none of them is answered with the one that may be meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command, its name and the rest of the words."""
        from ..config.spelling import nearest

        try:
            return super().resolve_command(ctx, args)
        except Exception as wrong:
            guess = nearest(args[0], self.commands)
            if guess and "Did you mean" not in (told := getattr(wrong, "message", "")):
                wrong.message = f"{told} Did you mean {guess!r}?"  # type: ignore[attr-defined]
            raise


class PlainGroup(Group):
    """The program's commands, whose complaints of wrong words are plain text, as all others are."""

    make_context = _told_plainly()(TyperGroup.make_context)
    invoke = _told_plainly()(TyperGroup.invoke)


class Strict:
    """Refuse what typer would overlook, and know what a strange word means."""

    def parse_args(self: Any, ctx: Any, args: list[str]) -> list[str]:
        """Read the words; ``~`` begins the home directory, wherever the shell left it.

        Typer would take the last of two values, and would only name strange words.
        """
        try:
            _, strange, given = self.make_parser(ctx).parse_args(list(args))
        except Exception as wrong:
            if hasattr(wrong, "possibilities"):  # an unknown option
                self._advise(wrong.option_name, args)  # type: ignore[attr-defined]
            raise
        if not ctx.resilient_parsing:  # which completes words
            _refuse_repeated(given)
            if strange and not ctx.allow_extra_args:
                self._advise(strange[0], args)
        rest: list[str] = super().parse_args(ctx, args)  # type: ignore[misc]
        ctx.params = {name: _at_home(value) for name, value in ctx.params.items()}
        return rest

    def _advise(self: Any, strange: str, words: Sequence[str]) -> None:
        """Raise UsageError where a strange word is a config's name or a setting."""
        options = {name for param in self.params for name in param.opts}
        advice = _as_setting(strange, words) if "--set" in options else None
        is_option = strange.startswith("-") or "=" in strange
        if advice is None and "--config" in options and not is_option:
            advice = f"--config {strange}"
        if advice:
            raise UsageError(f"{self.name}: no such option or argument: {strange}; write {advice}")


class StrictCommand(Strict, TyperCommand):
    """A command that reads its words strictly."""


class StrictGroup(Strict, Group):
    """A command that also has commands below it; its own options stand before their names."""


def _refuse_repeated(given: Sequence[Any]) -> None:
    for option in given:
        takes_one = option.param_type_name == "option" and not option.is_flag
        if takes_one and not option.multiple and given.count(option) > 1:
            name, times = max(option.opts, key=len), given.count(option)
            raise UsageError(f"{name}: given {times} times, and only one counts; give it once")


def _at_home(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_at_home, value))
    if isinstance(value, str | Path) and str(value).startswith("~"):
        return type(value)(os.path.expanduser(value))  # noqa: PTH111  (it never raises)
    return value


def _as_setting(strange: str, words: Sequence[str]) -> str | None:
    """Return ``--set KEY=VALUE`` for ``--lr 0.1``, ``--lr=0.1``, ``lr=0.1``; None: no setting."""
    from ..config.known_keys import field_of, key_paths, section_types
    from ..experiment import ExperimentConfig

    name, _, value = strange.lstrip("-").partition("=")
    if name == strange:  # a word that is neither
        return None
    if "=" not in strange:
        at = next(i for i, word in enumerate(words) if word.partition("=")[0] == strange)
        value = words[at].partition("=")[2] or next(iter(words[at + 1 :]), "VALUE")
    name = name.replace("-", "_")
    paths = sorted(
        {path for path in key_paths(ExperimentConfig) if name in (path[-1], ".".join(path))},
        key=len,
    )
    if not paths or (len(paths) > 1 and len(paths[0]) == len(paths[1])):
        return None
    key = ".".join(paths[0])
    field = ExperimentConfig.model_fields.get(key)
    sections = section_types(field.annotation) if field else []
    tag = next((tag for tag in ("name", "kind") if field_of(sections, tag)), None)
    return "--set " + shlex.quote(f"{key}={{{tag}: {value}}}" if tag else f"{key}={value}")
