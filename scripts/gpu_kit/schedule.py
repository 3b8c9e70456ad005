"""Step ``schedule:CONFIG``: a row of docs/zoo.md that wants a GPU, and its weights."""

import time
from collections.abc import Iterator
from pathlib import Path

import torch
from benchmarks.rows import Row
from safetensors.torch import save
from zoo_campaign.assessing import assess
from zoo_campaign.recipes import RECIPES
from zoo_campaign.records import save_run, settings_of
from zoo_campaign.training import NotDoneError, Place, train

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.errors import CnnTrainError

from .attempt import missed, single
from .kit import Kit

SETTINGS = {"resnet18": ("compile=true",), "wrn28_10": ("compile=true",)}
"""Long runs are worth a compilation."""

SECONDS_FOR_THE_REST = 60
PIECE_BYTES = 15 * 2**20
LARGEST_BYTES = 45 * 2**20
"""Of a file that comes back from a borrowed machine, and of a model worth bringing back."""


def rows(kit: Kit, stem: str) -> Iterator[Row]:
    """Train and evaluate as ``scripts/zoo`` does, keep the result for it, the weights in bfloat16.

    ``scripts/zoo --publish --folder OUT`` takes what is kept.
    """
    part, recipe = f"schedule:{stem}", RECIPES[stem]
    images = None if kit.toy else kit.images
    more = () if images else kit.overrides()
    place = Place(
        images, kit.scratch / "zoo", kit.scratch / "data", device=kit.device, offline=True,
        more=(*more, *SETTINGS.get(stem, ())),
    )  # fmt: skip
    started = time.perf_counter()
    try:
        run, facts = train(recipe, 0, place, kit.seconds_left() - SECONDS_FOR_THE_REST)
    except (CnnTrainError, NotDoneError) as reason:
        yield missed(part, "fit", "exit code 0", str(reason))
        return
    seconds = time.perf_counter() - started
    weights = load_checkpoint(run.best_checkpoint).usable_weights
    yield save_in_pieces(part, weights, kit.out / stem)
    found = assess(recipe, 0, place, run) | facts
    note = f"whole command; {found['seconds']:.1f} s of it in {found['epochs']} epochs; "
    note += ", ".join(["settings as shipped", *SETTINGS.get(stem, ())])
    yield single(part, f"{stem}: fit", "s", seconds, note=note)
    accuracies = {
        "validation accuracy": found["val_accuracy"],
        "test accuracy, --tta none": found["test_accuracy"],
        "test accuracy, --tta flip_translate": found["views_accuracy"],
    }
    for name, accuracy in accuracies.items():
        yield single(part, f"{stem}: {name}", "%", 100 * accuracy)
    path = kit.out / "measured" / f"{stem}-seed0.json"
    save_run(recipe, settings_of(recipe, *place.more), found, path)


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
