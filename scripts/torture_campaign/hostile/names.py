"""Names of any letters, of files and of classes, met by every command that shows names."""

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, cycle
from pathlib import Path
from typing import TypeAlias

from PIL import Image

from cnn_train.checkpoints.checkpoint import load_checkpoint, save_checkpoint

from . import Ground, Trial

NAMES: dict[str, str | bytes] = {
    "not UTF-8": b"caf\xe9",
    "low bytes": bytes(code for code in range(1, 128) if code != ord("/")),
    "high bytes": bytes(range(128, 256)),
    "colours": "a\x1b[31mred\x1b[0m",
    "a link": "\x1b]8;;http:\x1b\\b\x1b]8;;\x1b\\",
    "a title": "\x1b]0;owned\x07",
    "one byte CSI": "\x9b2J",
    "markup": "[red]a[bold]b[",
    "half a markup": "[bold",
    "emoji codes": ":warning: :smiley:",
    "an address": "https:a.example",
    "lines": "a\nerror: b\r\n",
    "separators": "a\u2028b\u2029c\x85d",
    "tabs": "a\tb\vc\fd",
    "backspaces": "cat\b\b\bdog",
    "overridden": "a\u202egnp.b",
    "isolated": "\u2066a\u2069\u2067b\u2069\u061c",
    "marks": "\u200ea\u200f",
    "no-break space": "\xa0",
    "spaces": "   ",
    "no width": "\u200b",
    "joiners": "\u2060\u200d\u200c\ufeff",
    "tags": "a\U000e0063\U000e0061\U000e0074\U000e007f",
    "fillers": "\u3164\u115f\u034f",
    "noncharacters": "a\ufffe\uffff\U0010ffff",
    "private": "\ue000\U000f0000",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f",
    "accents": "e\u0301" + 60 * "\u0316",
    "Chinese": "\u732b\u72ac",
    "Arabic": "\u0642\u0637\u0629",
    "a formula": "$x^2$ \\frac{1}{0} $",
    "half a formula": "$\\alpha",
    "an underline": "_a",
    "formats": "%s%n{0}{name}{",
    "a page's tags": '<script>alert("a")<\\script>&amp;',
    "the end of a comment": "a-->b]]>--",
    "an option": "--json",
    "a short option": "-rf",
    "a dash": "-",
    "a home": "~root",
    "a pattern": "[a-b]*?",
    "quotes": "a'b\"c`d$(e)",
    "Windows": "C:\\con\\nul",
    "YAML": "{a: *b, !!c d}: &e # f",
    "long": "a" * 200,
    "long and wide": "\u732b" * 66,
}
"""Texts, or bytes of file names, by what is odd about them."""

IN_CLASSES_ONLY = ["", "\0", "a\ud83d\udc00", "a/b", "..", "\n"]
"""Names that no file has, but which a checkpoint may give to its classes."""

MOST_BYTES = 200
TEXTS = {what: os.fsdecode(name) for what, name in NAMES.items()}
LETTERS = sorted(set("".join(TEXTS.values())))

Use: TypeAlias = Callable[[Ground, Path, str], list[object]]
"""Lays out things of a name in an empty folder and returns the command that meets them."""


def trials(ground: Ground, number: int) -> Iterator[Trial]:
    """Yield every name met by two or more commands, then mixtures of letters met by any."""
    pairs = dict.fromkeys([*FIRST, *zip([*NAMES] * 2, cycle(USES), strict=False)])
    mixtures = (
        (f"mixture {i}", use)
        for i, use in zip(range(number - len(pairs)), cycle(USES), strict=False)
    )
    for i, (what, use) in enumerate(chain(pairs, mixtures)):
        name = TEXTS.get(what) or "".join(ground.dice.choices(LETTERS, k=i % 20 + 1))
        while len(os.fsencode(name)) > MOST_BYTES:
            name = name[:-1]
        place = ground.folder / str(i)
        place.mkdir()
        yield Trial(f"{what}, met by {use.__name__[1:]}", use(ground, place, name))


def _predict(ground: Ground, place: Path, name: str) -> list[object]:
    return ["predict", draw(place / f"{name}.png"), "--checkpoint", ground.run]


def _predict_json(ground: Ground, place: Path, name: str) -> list[object]:
    draw(place / name / f"{name}.png")
    return ["predict", place, "--checkpoint", ground.run, "--json", "--out", place / "a.svg"]


def _predict_classes(ground: Ground, place: Path, name: str) -> list[object]:
    checkpoint = rename_classes(ground, place, name)
    return ["predict", draw(place / "a.png"), "--checkpoint", checkpoint]


def _predict_damaged(ground: Ground, place: Path, name: str) -> list[object]:
    path = place / f"{name}.png"
    path.write_bytes(b"no image")
    return ["predict", path, place / f"absent {name}", "--checkpoint", ground.run]


def _inspect(ground: Ground, place: Path, name: str) -> list[object]:
    return ["inspect", draw(place / f"{name}.png"), "--out", place / f"{name}.svg"]


def _saliency(ground: Ground, place: Path, name: str) -> list[object]:
    checkpoint, image = rename_classes(ground, place, name), draw(place / f"{name}.png")
    return ["visualize", "saliency", checkpoint, "--image", image, "--out", place / "a.svg"]


def _wrong_class(ground: Ground, place: Path, name: str) -> list[object]:
    image = draw(place / f"{name}.png")
    return ["visualize", "saliency", ground.run, "--image", image, "--class", f"a{name}"]


def _evaluate(ground: Ground, place: Path, name: str) -> list[object]:
    command = _evaluate_json(ground, place, name)[:-1]
    return [*command, "--out", place / f"report {name}"]


def _evaluate_json(ground: Ground, place: Path, name: str) -> list[object]:
    lay_out(place / "a", name)
    checkpoint = rename_classes(ground, place, name, data={"name": "folder", "image_size": 16})
    return ["evaluate", checkpoint, "--data-root", place / "a", "--data-dir", place, "--json"]


def _embedding(ground: Ground, place: Path, name: str) -> list[object]:
    command = _evaluate_json(ground, place, name)[1:-1]
    return ["visualize", "embedding", *command, "--split", "train", "--out", place / "a.svg"]


def _filters(ground: Ground, place: Path, name: str) -> list[object]:
    checkpoint = rename_classes(ground, place, name)
    return ["visualize", "filters", checkpoint, "--out", place / "a.svg"]


def _evaluate_nothing(ground: Ground, place: Path, name: str) -> list[object]:
    return ["evaluate", place / name, "--json"]


def _show_checkpoint(ground: Ground, place: Path, name: str) -> list[object]:
    return ["checkpoint", "show", rename_classes(ground, place, name)]


def _sheet(ground: Ground, place: Path, name: str) -> list[object]:
    lay_out(place / name, name)
    return [*data("show", place / name), "--data-dir", place, "--out", place / f"{name}.svg"]


def _verify(ground: Ground, place: Path, name: str) -> list[object]:
    lay_out(place / name, name)
    return [*data("verify", place / name), "--data-dir", place]


def _export(ground: Ground, place: Path, name: str) -> list[object]:
    lay_out(place / "a", name)
    return [*data("export", place / "a"), "--data-dir", place, "--out", place / f"out {name}"]


def _check_config(ground: Ground, place: Path, name: str) -> list[object]:
    path = place / f"{name}.yaml"
    path.write_bytes(b'"' + os.fsencode(name) + b'": [' + os.fsencode(name))
    return ["config", "check", path]


def _command(ground: Ground, place: Path, name: str) -> list[object]:
    return [name]


def _option(ground: Ground, place: Path, name: str) -> list[object]:
    return ["evaluate", f"--{name}"]


def _number_of(ground: Ground, place: Path, name: str) -> list[object]:
    return ["predict", "a.png", "--top-k", f"a{name}"]


def _model(ground: Ground, place: Path, name: str) -> list[object]:
    return ["models", "show", f"a{name}"]


def _override(ground: Ground, place: Path, name: str) -> list[object]:
    return ["fit", "--dry-run", "--set", f"{name}={name}", f"a{name}"]


def _formula(ground: Ground, place: Path, name: str) -> list[object]:
    return ["learn", "graph", "--expr", f"a{name}", "--at", f"a={name}"]


def _export_weights(ground: Ground, place: Path, name: str) -> list[object]:
    checkpoint = rename_classes(ground, place, name)
    return ["checkpoint", "export-weights", checkpoint, "--out", place / f"{name}.safetensors"]


def _list_runs(ground: Ground, place: Path, name: str) -> list[object]:
    return ["runs", "--run-root", place / name]


USES: tuple[Use, ...] = (
    _predict, _predict_json, _predict_classes, _predict_damaged, _inspect, _saliency,
    _wrong_class, _evaluate, _evaluate_json, _evaluate_nothing, _embedding, _filters,
    _show_checkpoint, _sheet, _verify, _export, _check_config, _command, _option, _number_of,
    _model, _override, _formula, _export_weights, _list_runs,
)  # fmt: skip
"""In a number that has no divisor in common with that of the names, so that no pair comes twice."""

FIRST: list[tuple[str, Use]] = [
    *(("not UTF-8", use) for use in (_predict_json, _inspect, _saliency, _evaluate, _sheet)),
    *((what, _sheet) for what in ("no-break space", "spaces", "no width", "tags")),
]
"""What has once broken a command."""


def draw(path: Path) -> Path:
    """Write an image of 16 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = zlib.crc32(os.fsencode(path))
    with path.open("wb") as file:
        Image.new("RGB", (16, 16), (code % 256, code // 256 % 256, 99)).save(file, "PNG")
    return path


def lay_out(root: Path, name: str) -> None:
    """Make a folder dataset that has the name as a class's and as files'."""
    for split in ("train", "test"):
        for label in (name, f"{name[:60]} too"):
            for i in range(2):
                draw(root / split / label / f"{i}{name[:60]}.png")


def data(command: str, root: Path) -> list[object]:
    """Return ``data COMMAND`` on a folder, by a config beside it."""
    config = root.parent / "folder.yaml"
    quoted = str(root).translate({code: f"\\x{code:02x}" for code in (*range(32), 34, 92)})
    config.write_bytes(b'data: {name: folder, image_size: 16, root: "%s"}' % os.fsencode(quoted))
    return ["data", command, "--config", config]


def rename_classes(
    ground: Ground, place: Path, name: str, data: dict[str, object] | None = None
) -> Path:
    """Write the run's checkpoint under the name, with the name for one class and others as odd."""
    checkpoint = load_checkpoint(ground.run / "best.ckpt")
    names = [name, f"{name[:60]} too", *IN_CLASSES_ONLY, *TEXTS.values()]
    names = list(dict.fromkeys(names))[: len(checkpoint.class_names)]
    path = place / f"{name}.ckpt"
    config = checkpoint.config | ({"data": {**data, "root": str(place)}} if data else {})
    save_checkpoint(replace(checkpoint, class_names=names, config=config), path)
    return path
