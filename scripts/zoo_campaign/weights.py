"""Trained models for users: a row's first seed as a slim checkpoint, with its card."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_train.checkpoints.checkpoint import open_checkpoint, save_checkpoint
from cnn_train.checkpoints.pretrained import FOLDER
from cnn_train.checkpoints.slimming import slim
from cnn_train.cli.console import notice
from cnn_train.data.location import DATA_DIR_VARIABLE, resolve_data_dir
from cnn_train.errors import UsageError
from cnn_train.evaluation.evaluate import Evaluation, evaluate, load_split
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import load_trained_model
from cnn_train.machine.atomic_file import write_anew
from cnn_train.runs.directory import newest_run

from .assessing import VIEWS, weights_digest
from .recipes import RECIPES
from .records import CIFAR10, RowRecord
from .summary import describe_hardware, percent
from .training import Place, run_name

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
"""Beside speedrun, lenet and linear, whose cards tell their own commands."""


def write_models(names: Sequence[str], rows: Mapping[str, RowRecord], place: Place) -> None:
    """Write ``NAME.ckpt`` and ``NAME.md`` for each: in the package, or where the user's lie.

    Raises UsageError where the published run of a row is not in the campaign's folder.
    """
    for name in names:
        folder = FOLDER if MODELS[name].ships else place.data_dir / FOLDER.name
        write_model(name, rows, place, folder)
        notice(f"wrote {folder / name}.ckpt and .md: pretrained:{name}")
        if folder != FOLDER and place.data_dir != resolve_data_dir(None):
            notice(f"found where {DATA_DIR_VARIABLE}={place.data_dir}")


def write_model(name: str, rows: Mapping[str, RowRecord], place: Place, folder: Path) -> None:
    """Write one model and its card, which tells what was measured from the file itself."""
    recipe = RECIPES[MODELS[name].row]
    published = rows[recipe.name].run_of(0) if recipe.name in rows else None
    if not place.images or not published or published["images"] != place.images_name:
        where = place.images or "--images cifar10-jpeg, which its card is about"
        raise UsageError(f"--weights {name}: {recipe.name} has no figures of {where}")
    run = newest_run(place.folder / "runs", run_name(recipe, 0, place))
    if (
        run is None
        or weights_digest(load_trained_model(run.best_checkpoint)) != published["weights_sha256"]
    ):
        raise UsageError(
            f"--weights {name}: the run of the table is not in {place.folder}; to make it again: "
            f"scripts/zoo --rows {recipe.name} --seeds 1 --table NEW.json"
        )
    source = open_checkpoint(run.best_checkpoint).checkpoint
    trained = ExperimentConfig.model_validate(source.config)
    config = trained.model_copy(update={"data": recipe.load().data})
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / f"{name}.ckpt"
        save_checkpoint(slim(source, config, run.best_checkpoint.name, "float16"), made)
        model = load_trained_model(made, place.device)
        images = load_split(model, "test", place.access(), place.images)
        results = [evaluate(model, images, tta=tta) for tta in VIEWS]
        card = render_card(name, published, results, made)
        folder.mkdir(parents=True, exist_ok=True)
        write_anew(folder / f"{name}.ckpt", made.read_bytes())
        write_anew(folder / f"{name}.md", card.encode())


def render_card(
    name: str, run: Mapping[str, Any], results: Sequence[Evaluation], file: Path
) -> str:
    """Write the card: a title, a sentence, the table of facts, commands, what it is not for."""
    model, opened = MODELS[name], open_checkpoint(file)
    recipe = RECIPES[model.row]
    num_train = len(opened.checkpoint.training_images)
    facts = {
        "config": recipe.config,
        "row of docs/zoo.md": model.row,
        "model": f"{recipe.load().model.name}, {run['parameters']:,} parameters",
        "classes": ", ".join(opened.checkpoint.class_names),
        "data": f"CIFAR-10 as JPEG files: trained on {num_train:,} images, "
        f"the epoch chosen on {50_000 - num_train:,} others",
        "seed": str(run["seed"]),
        "hardware": describe_hardware(run),
        "test accuracy": accuracy_words(results[0]),
        "test accuracy with views": accuracy_words(results[1], ", `--tta flip_translate`"),
        "size": f"{opened.num_bytes / 1e6:.2f} MB, {opened.weights_precision}",
        "SHA-256": opened.digest,
        "licence": "MIT, as the program; no image of CIFAR-10 is in the file",
    }
    return CARD.read_text("utf-8").format(
        name=name,
        summary=model.summary,
        table="\n".join(f"| {key} | {value} |" for key, value in facts.items()),
        fit=run["command"],
        data=recipe.data(name=CIFAR10),
    )


def accuracy_words(result: Evaluation, how: str = "") -> str:
    """Write an accuracy with its interval and what it was measured on."""
    low, high = (percent(bound, 2) for bound in result.accuracy_interval)
    interval = f"95 % interval {low} to {high} %; {len(result.images):,} images, n = 1{how}"
    return f"{percent(result.accuracy, 2)} % ({interval})"
