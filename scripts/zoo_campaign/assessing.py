"""What there is to know of a trained row: its run, and its scores on the test images.

Shape letters: N examples, K classes.
"""

import hashlib
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, harmonic_mean

from safetensors.torch import save
from torch.nn.functional import cross_entropy

from cnn_train.checkpoints.checkpoint import contiguous_state
from cnn_train.data.image_set import ImageSet, spread_evenly
from cnn_train.evaluation.evaluate import evaluate, load_split
from cnn_train.evaluation.slices import evaluate_slices
from cnn_train.inference.trained_model import TrainedModel, load_trained_model
from cnn_train.inference.views import ViewsName
from cnn_train.models.summary import summarize
from cnn_train.runs.directory import RunDirectory

from .recipes import Recipe
from .records import Facts
from .training import Place, shown_command, train

VIEWS: tuple[ViewsName, ...] = ("none", "flip_translate")
SEVERITIES = (1, 3, 5)
SLICE_IMAGES = 1_000
"""Test images, evenly spread, that every change of a slice is made to: 42 changes in all."""

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT_KEPT = ("cnn_train", "torch", "python", "device", "processor", "threads", "precision")


def measure(recipe: Recipe, seed: int, place: Place, limit: float | None) -> Facts:
    """Train one row's seed for at most ``limit`` seconds, or go on; then evaluate it.

    Raises NotDoneError where it is not trained to its end, CnnTrainError where it cannot be.
    """
    run, facts = train(recipe, seed, place, limit)
    return assess(recipe, seed, place, run) | facts


def assess(recipe: Recipe, seed: int, place: Place, run: RunDirectory) -> Facts:
    """Return what there is to know of a finished run, its best epoch evaluated on test images."""
    trained = load_trained_model(run.best_checkpoint, place.device)
    images = load_split(trained, "test", place.access())
    return {
        "seed": seed,
        "images": place.images_name,
        "command": shown_command(recipe, seed, place),
        **describe_run(run, trained),
        **test_facts(trained, images),
        "commit": commit(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def describe_run(run: RunDirectory, trained: TrainedModel) -> Facts:
    """Return what a finished run tells of itself; accuracies are those of its best epoch."""
    records = run.load_metrics()
    environment = json.loads(run.environment.read_text("utf-8"))
    layers = summarize(trained.model, trained.image_shape)
    return {
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "macs": sum(layer.macs for layer in layers),
        "epochs": len(records),
        "best_epoch": trained.epoch - 1,
        "val_accuracy": trained.val_accuracy,
        "last_val_accuracy": records[-1]["val_accuracy"],
        "seconds": sum(record["seconds"] for record in records),
        "images_per_second": harmonic_mean([one["images_per_second"] for one in records]),
        "num_train": len(trained.training_images),
        "fingerprints": trained.data_fingerprints,
        "weights_sha256": weights_digest(trained),
        **{key: environment[key] for key in ENVIRONMENT_KEPT if key in environment},
    }


def test_facts(trained: TrainedModel, images: ImageSet) -> Facts:
    """Read the test images, once each way: single view, views, changed by the slices."""
    single, views = (evaluate(trained, images, tta=tta) for tta in VIEWS)
    some = images.select(spread_evenly(len(images), SLICE_IMAGES))
    slices = evaluate_slices(trained, some, severities=SEVERITIES).slices
    facts: Facts = {
        "num_test": len(images),
        "test_fingerprint": images.fingerprint(),
        "test_accuracy": single.accuracy,
        "views_accuracy": views.accuracy,
        "slices": {one.name: fmean(one.accuracy) for one in slices},
    }
    if single.calibration is not None:
        nll = cross_entropy(single.scores_NK.double(), images.labels_N).item()
        facts |= {"nll": nll, "calibration_error": single.calibration.expected_error}
    return facts


def weights_digest(trained: TrainedModel) -> str:
    """Return the SHA-256 of the weights alone: equal for equal bits, whenever they were trained."""
    return hashlib.sha256(save(contiguous_state(trained.model))).hexdigest()


def commit() -> str:
    """Return the commit of this tree, with ``+`` where code or configs were changed since."""

    def git(*words: str) -> str:
        ended = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True)
        return ended.stdout.strip()

    changed = git("status", "--porcelain", "--", "cnn_train", "configs")
    return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
