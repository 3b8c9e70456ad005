"""The trained models that ship with the program: ``pretrained:NAME`` is a checkpoint anywhere.

Beside each file lies its card, ``NAME.md``: a title, a sentence, a table of facts, and words.
"""

import re
from dataclasses import dataclass
from os.path import exists  # it never raises
from pathlib import Path
from typing import Any

from ..config.spelling import nearest
from ..errors import CheckpointError

PREFIX = "pretrained:"
FOLDER = Path(__file__).parents[1] / "pretrained"


@dataclass(frozen=True)
class ModelCard:
    """What is known of a trained model that ships; facts: the rows of its table."""

    name: str
    summary: str
    facts: dict[str, str]
    text: str

    @property
    def address(self) -> str:
        """What names the model where a checkpoint is asked for."""
        return PREFIX + self.name

    @property
    def accuracy(self) -> float:
        """The share of the test images that it gets right, one view each."""
        return float(self.facts["test accuracy"].split()[0]) / 100

    def to_json(self) -> dict[str, Any]:
        """Return what ``models pretrained --json`` prints of it."""
        head = {"name": self.name, "checkpoint": self.address, "summary": self.summary}
        return head | {"accuracy": self.accuracy, "facts": self.facts}


def list_cards() -> list[ModelCard]:
    """Return the cards of the models that ship, the most accurate first."""
    cards = [read_card(path.stem, path.read_text("utf-8")) for path in FOLDER.glob("*.md")]
    return sorted(cards, key=lambda card: card.accuracy, reverse=True)


def read_card(name: str, text: str) -> ModelCard:
    """Read a card: its first sentence, and the table of two columns."""
    _, summary, _ = text.split("\n\n", 2)
    facts = dict(re.findall(r"^\| (\w.*?) +\| (.+?) +\|$", text, re.MULTILINE))
    return ModelCard(name, " ".join(summary.split()), facts, text)


def locate(path: Path) -> Path:
    """Return where a checkpoint lies, which may be one that ships; a file of that name wins.

    Raises CheckpointError, with the choices, where none of that name ships.
    """
    if not str(path).startswith(PREFIX) or exists(path):  # noqa: PTH110
        return path
    return FOLDER / f"{find_card(str(path)).name}.ckpt"


def suggest(path: Path) -> str:
    """Return what to add where a file is missing that has the name of a model that ships."""
    ships = any(str(path) == card.name for card in list_cards())
    return f"; did you mean {PREFIX}{path}, which ships with cnn-train?" if ships else ""


def find_card(name: str) -> ModelCard:
    """Return the card of ``NAME`` or ``pretrained:NAME``; raises as :func:`locate` does."""
    cards = {card.name: card for card in list_cards()}
    wanted = name.removeprefix(PREFIX)
    if wanted in cards:
        return cards[wanted]
    guess = nearest(wanted, cards)
    meant = f"did you mean {PREFIX}{guess}? " if guess else ""
    raise CheckpointError(f"{name}: no such model ships; {meant}there are {', '.join(cards)}")
