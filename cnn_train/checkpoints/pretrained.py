"""Trained models with a name: ``pretrained:NAME`` is a checkpoint anywhere.

Some ship with the program; ``scripts/zoo --weights`` puts others into the data directory. Beside
each file lies its card, ``NAME.md``: a title, a sentence, a table of facts, and words.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from os.path import exists  # it never raises
from pathlib import Path
from typing import Any

from ..config.spelling import nearest
from ..data.location import resolve_data_dir
from ..errors import CheckpointError, UsageError

PREFIX = "pretrained:"
FOLDER = Path(__file__).parents[1] / "pretrained"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained model; facts: the rows of its table; folder: where it lies."""

    name: str
    summary: str
    facts: dict[str, str]
    text: str
    folder: Path

    @property
    def address(self) -> str:
        """What names the model where a checkpoint is asked for."""
        return PREFIX + self.name

    @property
    def accuracy(self) -> float:
        """The share of the test images that it gets right, one view each."""
        return float(self.facts["test accuracy"].split()[0]) / 100

    @property
    def file(self) -> Path:
        """The checkpoint itself."""
        return self.folder / f"{self.name}.ckpt"

    def to_json(self) -> dict[str, Any]:
        """Return what ``models pretrained --json`` prints of it."""
        head = {"name": self.name, "checkpoint": self.address, "summary": self.summary}
        return head | {"accuracy": self.accuracy, "facts": self.facts}


def list_cards() -> list[ModelCard]:
    """Return the cards of the models that ship, the most accurate first."""
    cards = [read_card(path) for path in FOLDER.glob("*.md")]
    return sorted(cards, key=lambda card: card.accuracy, reverse=True)


def list_kept() -> list[ModelCard]:
    """Return the cards of the models in the data directory, in their order; damaged ones are none.

    A name that ships means the model that ships.
    """
    cards = []
    with suppress(UsageError, OSError):  # no home, or a folder that is closed to us
        for path in sorted((resolve_data_dir(None) / FOLDER.name).glob("*.md")):
            with suppress(ValueError, KeyError, IndexError, OSError):
                card = read_card(path)
                if card.accuracy >= 0 and card.facts["size"] and card.file.is_file():
                    cards.append(card)
    ships = {path.stem for path in FOLDER.glob("*.md")}
    return [card for card in cards if card.name not in ships]


def list_named() -> list[ModelCard]:
    """Return the cards of all models with a name: those that ship, then those in the directory."""
    return [*list_cards(), *list_kept()]


def read_card(path: Path) -> ModelCard:
    """Read a card: its first sentence, and the table of two columns."""
    text = path.read_text("utf-8")
    _, summary, _ = text.split("\n\n", 2)
    facts = dict(re.findall(r"^\| (\w.*?) +\| (.+?) +\|$", text, re.MULTILINE))
    return ModelCard(path.stem, " ".join(summary.split()), facts, text, path.parent)


def locate(path: Path) -> Path:
    """Return where a checkpoint lies, which may have a model's name; a file of that name wins.

    Raises CheckpointError, with the choices, where there is none of that name.
    """
    if not str(path).startswith(PREFIX) or exists(path):  # noqa: PTH110
        return path
    return find_card(str(path)).file


def suggest(path: Path) -> str:
    """Return what to add where a file is missing that has the name of a trained model."""
    is_name = any(str(path) == card.name for card in list_named())
    return f"; did you mean {PREFIX}{path}, a trained model?" if is_name else ""


def find_card(name: str) -> ModelCard:
    """Return the card of ``NAME`` or ``pretrained:NAME``; raises as :func:`locate` does."""
    cards = {card.name: card for card in list_named()}
    wanted = name.removeprefix(PREFIX)
    if wanted in cards:
        return cards[wanted]
    guess = nearest(wanted, cards)
    meant = f"did you mean {PREFIX}{guess}? " if guess else ""
    raise CheckpointError(f"{name}: no such model; {meant}there are {', '.join(cards)}")
