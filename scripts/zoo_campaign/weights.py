"""Trained models for users: a row's first seed as a slim checkpoint, with its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_train.checkpoints.checkpoint import open_checkpoint, save_checkpoint
from cnn_train.checkpoints.slimming import slim
from cnn_train.errors import UsageError
from cnn_train.evaluation.evaluate import Evaluation, evaluate, load_split
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import load_trained_model
from cnn_train.machine.atomic_file import write_anew
from cnn_train.runs.directory import newest_run

from .measuring import VIEWS, Place, run_name
from .recipes import RECIPES
from .records import RowRecord
from .summary import describe_hardware, percent

CARD = Path(__file__).with_name("card.md")


@dataclass(frozen=True)
class Model:
    """A model that ``pretrained:NAME`` names; row: whose first seed it is."""

    row: str
    summary: str
    ships: bool = False


MODELS = {
    "resnet20": Model("resnet20_short", "a ResNet-20 of 0.27 M parameters", ships=True),
    "vgg16": Model(
        "vgg16_quarter_width",
        "a VGG-16 of a quarter of the width: the lecture's layers conv1_1 to conv5_3",
        ships=True,
    ),
    "mlp": Model("mlp", "two hidden layers on raw pixels"),
    "fastnet": Model("fast_cpu", "a FastNet of 1.1 M parameters"),
    "vgg16_half_width": Model("vgg16_half_width", "a VGG-16 of half the width"),
    "wrn16_2": Model("wrn16_2", "a Wide ResNet 16-2"),
    "resnet56": Model("resnet56_short", "a ResNet-56"),
    "densenet": Model("densenet_small", "a DenseNet-121 whose layers add 12 maps each"),
    "mobilenet_v2": Model("mobilenet_v2_short", "a MobileNetV2"),
    "resnet18": Model("resnet18_short", "a ResNet-18"),
}
"""Beside the three that have shipped since before the table: speedrun, lenet and linear."""


def write_model(name: str, rows: Mapping[str, RowRecord], place: Place, folder: Path) -> Path:
    """Write ``NAME.ckpt`` and ``NAME.md``, as measured from the file itself; return the file.

    Raises UsageError where the row's run is not in the campaign's folder.
    """
    row = MODELS[name].row
    run = newest_run(place.folder / "runs", run_name(row, 0, place))
    if row not in rows or run is None:
        raise UsageError(
            f"--weights {name}: no run of {row} in {place.folder}; first: scripts/zoo --rows {row} "
            f"--seeds 1 --folder {place.folder}"
        )
    source = open_checkpoint(run.best_checkpoint)
    recipe = RECIPES[row].load()
    trained = ExperimentConfig.model_validate(source.checkpoint.config)
    config = trained.model_copy(update={"data": recipe.data})
    target = folder / f"{name}.ckpt"
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(slim(source.checkpoint, config, run.best_checkpoint.name, "float16"), target)
    model = load_trained_model(target, place.device)
    located = place.images or None
    images = load_split(model, "test", place.access(), located)
    results = [evaluate(model, images, tta=tta) for tta in VIEWS]
    run_facts = next(one for one in rows[row].runs if one["seed"] == 0)
    card = render_card(name, recipe, run_facts, results, target)
    write_anew(folder / f"{name}.md", card.encode())
    return target


def render_card(
    name: str,
    recipe: ExperimentConfig,
    run: Mapping[str, Any],
    results: list[Evaluation],
    file: Path,
) -> str:
    """Write the card: a title, a sentence, the table of facts, commands, what it is not for."""
    model, opened = MODELS[name], open_checkpoint(file)
    checkpoint = opened.checkpoint
    split = "" if recipe.data.val_fraction == 0.1 else f", val_fraction: {recipe.data.val_fraction}"
    num_val = 50_000 - len(checkpoint.training_images)
    facts = {
        "config": RECIPES[model.row].config,
        "row of docs/zoo.md": model.row,
        "model": f"{recipe.model.name}, {run['parameters']:,} parameters",
        "classes": ", ".join(checkpoint.class_names),
        "data": f"CIFAR-10 as JPEG files: trained on {len(checkpoint.training_images):,} images, "
        f"the epoch chosen on {num_val:,} others",
        "seed": str(run["seed"]),
        "hardware": describe_hardware(run),
        "test accuracy": accuracy_words(results[0]),
        "test accuracy with views": accuracy_words(results[1], ", `--tta flip_translate`"),
        "size": f"{opened.num_bytes / 1e6:.2f} MB, {opened.weights_precision}",
        "SHA-256": opened.digest,
        "licence": "MIT, as the program; no image of CIFAR-10 is in the file",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in facts.items())
    return CARD.read_text("utf-8").format(
        name=name, summary=model.summary, table=table, config=facts["config"], split=split
    )


def accuracy_words(result: Evaluation, how: str = "") -> str:
    """Write an accuracy with its interval and what it was measured on."""
    low, high = (percent(bound, 2) for bound in result.accuracy_interval)
    interval = f"95 % interval {low} to {high} %; {len(result.images):,} images, n = 1{how}"
    return f"{percent(result.accuracy, 2)} % ({interval})"
