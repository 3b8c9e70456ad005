"""Step ``schedule:CONFIG``: the whole schedule as a user runs it, and the weights that come out."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from benchmarks.rows import Row
from safetensors.torch import save

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.evaluation.evaluate import evaluate, load_split
from cnn_train.inference.trained_model import load_trained_model
from cnn_train.inference.views import ViewsName

from .attempt import missed, single
from .commands import cnn_train, fit_arguments, last_line
from .kit import Kit

SETTINGS = {"resnet18": ("compile=true",), "wrn28_10": ("compile=true",)}
"""Long runs are worth a compilation."""

SECONDS_FOR_THE_REST = 20
VIEWS: tuple[ViewsName, ...] = ("none", "flip_translate")
PIECE_BYTES = 15 * 2**20
LARGEST_BYTES = 45 * 2**20
"""Of a file that comes back from a borrowed machine, and of a model worth bringing back."""


def rows(kit: Kit, stem: str) -> Iterator[Row]:
    """Fit, evaluate with and without views, keep the weights in bfloat16."""
    part = f"schedule:{stem}"
    started = time.perf_counter()
    arguments = fit_arguments(kit, stem, *SETTINGS.get(stem, ()))
    outcome = cnn_train(kit, *arguments, limit=kit.seconds_left() - SECONDS_FOR_THE_REST)
    seconds = time.perf_counter() - started
    if outcome.returncode:
        why = f"exit code {outcome.returncode}: {last_line(outcome)}"
        yield missed(part, "fit", "exit code 0", why)
        return
    fitted = json.loads(outcome.stdout)
    note = f"whole command; {fitted['seconds']:.1f} s of it in {fitted['epochs']} epochs; "
    note += ", ".join(["settings as shipped", *SETTINGS.get(stem, ())])
    yield single(part, f"{stem}: fit", "s", seconds, note=note)
    yield single(part, f"{stem}: validation accuracy", "%", 100 * fitted["val_accuracy"])
    best = Path(fitted["best_checkpoint"])
    trained = load_trained_model(best, kit.device)
    images = load_split(trained, "test", kit.access())
    for views in VIEWS:
        accuracy = 100 * evaluate(trained, images, tta=views).accuracy
        yield single(part, f"{stem}: test accuracy, --tta {views}", "%", accuracy)
    weights = load_checkpoint(best).usable_weights
    yield save_in_pieces(part, weights, kit.out / stem)


def save_in_pieces(part: str, weights: dict[str, torch.Tensor], place: Path) -> Row:
    """Write floating-point weights as bfloat16 safetensors, in files ``cat`` puts together."""
    halved = {
        name: (value.bfloat16() if value.is_floating_point() else value).contiguous()
        for name, value in weights.items()
    }
    content = save(halved)
    note = "too large to keep"
    if len(content) <= LARGEST_BYTES:
        pieces = [content[i : i + PIECE_BYTES] for i in range(0, len(content), PIECE_BYTES)]
        for number, piece in enumerate(pieces):
            place.with_name(f"{place.name}.safetensors.{number}").write_bytes(piece)
        note = f"{len(pieces)} files; join by cat"
    return single(part, "weights in bfloat16", "MiB", len(content) / 2**20, note=note)
