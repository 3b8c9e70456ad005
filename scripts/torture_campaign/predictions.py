"""Whether a model ever gives another answer to the same picture, without saying so."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image

from cnn_train.data.dataset import DataAccess
from cnn_train.data.shapes.dataset import CLASS_NAMES, ShapesConfig
from cnn_train.inference.predict import predict_files
from cnn_train.inference.trained_model import TrainedModel, load_trained_model

from .campaign import Campaign
from .rows import Count, Row
from .twin_images import COLOUR_TWINS, GREY_TWINS, write_damaged

PART = "predictions"
CONFIG = """\
data: {name: shapes, num_train: 400, num_test: 200, image_size: 16}
model: {name: mlp, hidden_sizes: [64]}
optimizer: {name: sgd, lr: 0.05, momentum: 0.9}
batch_size: 20
epochs: 4
precision: float32
"""
BATCH_SIZES = (1, 7, 100)
LEAST_CLASSES = 5
"""A model that says the same of everything would prove nothing."""

Answers = dict[str, int]
Answer = Callable[[Sequence[Path], int], Answers]


def prediction_rows(campaign: Campaign) -> Iterator[Row]:
    """Ask in batches of several sizes, among damaged files, and for twins of each picture."""
    run = campaign.undisturbed(campaign.tiny_run("predicting", CONFIG))
    checkpoint = run.run.best_checkpoint
    found: dict[str, Any] = campaign.server.call(
        "torture_campaign.predictions:count_wrong",
        checkpoint=str(checkpoint),
        number=campaign.amount(200, 40),
    )
    for name in found["ours"]:
        ours, plain = found["ours"][name], found["plain"][name]
        yield Row(
            PART, f"the same class: {name}", Count(ours["same"], sum(ours.values())),
            Count(plain["same"], sum(plain.values())), _describe(ours, plain),
        )  # fmt: skip
    yield evaluation_row(campaign, checkpoint)


def _describe(ours: dict[str, int], plain: dict[str, int]) -> str:
    return (
        f"wrong without a word: {ours['different']}, plain {plain['different']}; "
        f"refused: {ours['refused']}, plain {plain['refused']}"
    )


def evaluation_row(campaign: Campaign, checkpoint: Path) -> Row:
    """Measure the test split in batches of several sizes: the accuracy must be the same."""
    accuracies = []
    for size in (*BATCH_SIZES, 512):
        command = ["evaluate", checkpoint, "--batch-size", size, "--json"]
        ended = campaign.command(command).wait()
        accuracies.append(json.loads(ended.stdout)["accuracy"])
    same = [accuracy == accuracies[0] for accuracy in accuracies]
    note = f"batches of {', '.join(map(str, BATCH_SIZES))} and 512"
    return Row(PART, "the same accuracy in evaluate", Count.of_outcomes(same), note=note)


def count_wrong(checkpoint: str, number: int) -> dict[str, dict[str, dict[str, int]]]:
    """Return, for ours and the plain way, by case, the numbers of same, different and refused."""
    trained = load_trained_model(Path(checkpoint), "cpu")
    ways: dict[str, Answer] = {"ours": _ours(trained), "plain": _plain(trained)}
    with TemporaryDirectory() as scratch:
        originals = write_originals(Path(scratch), number)
        return {name: _count_cases(answer, *originals) for name, answer in ways.items()}


def write_originals(directory: Path, number: int) -> tuple[list[Path], list[Path]]:
    """Write so many pictures in colour, and the same in grey, as PNG files."""
    drawn = ShapesConfig(num_test=number, image_size=16).load_test(
        DataAccess(directory), CLASS_NAMES
    )
    colour: list[Path] = []
    grey: list[Path] = []
    for index, image_CHW in enumerate(drawn.images_NCHW):
        picture = Image.fromarray(np.ascontiguousarray(image_CHW.permute(1, 2, 0).numpy()))
        for paths, one in ((colour, picture), (grey, picture.convert("L").convert("RGB"))):
            path = directory / f"{'grey' if paths is grey else 'colour'}-{index:03}.png"
            one.save(path)
            paths.append(path)
    return colour, grey


def _count_cases(answer: Answer, colour: list[Path], grey: list[Path]) -> dict[str, dict[str, int]]:
    """Compare the answers in each case with those to the PNG files."""
    expected = answer([*colour, *grey], 512)
    classes = set(expected.values())
    assert len(classes) >= LEAST_CLASSES, f"the model knows only the classes {classes}"
    named = {path.name: expected[str(path)] for path in [*colour, *grey]}
    damaged = write_damaged(colour[0].parent / "damaged", colour[0])
    mixed = [*damaged[:2], *colour[:9], *damaged[2:], *colour[9:]]
    cases = {
        "batches of 1, 7, 100": _sum(
            _compare(answer(colour, size), {str(path): named[path.name] for path in colour})
            for size in BATCH_SIZES
        ),
        "damaged files between": _compare(
            answer(mixed, 7), {str(path): named[path.name] for path in colour}
        ),
    }
    for case, ways, originals in (
        ("turned by EXIF, other modes and formats", COLOUR_TWINS, colour),
        ("grey as 1, 2, 4 channels and 16 bits", GREY_TWINS, grey),
    ):
        twins: Answers = {}
        for name, write in ways.items():
            for path in originals:
                twin = path.with_name(f"{path.stem}-{name}")
                with Image.open(path) as picture:
                    write(picture, twin)
                twins[str(twin)] = named[path.name]
        cases[case] = _compare(answer([Path(twin) for twin in twins], 100), twins)
    return cases


def _compare(answers: Answers, expected: Answers) -> dict[str, int]:
    """Count how many files got the expected class, another one, or none."""
    counted = Counter(
        "refused" if path not in answers else "same" if answers[path] == label else "different"
        for path, label in expected.items()
    )
    return {name: counted[name] for name in ("same", "different", "refused")}


def _sum(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return {name: total[name] for name in ("same", "different", "refused")}


def _ours(trained: TrainedModel) -> Answer:
    """Answer as ``cnn-train predict`` does."""

    def answer(paths: Sequence[Path], batch_size: int) -> Answers:
        predictions, _ = predict_files(trained, paths, batch_size=batch_size)
        return {prediction.path: prediction.top[0].index for prediction in predictions}

    return answer


def _plain(trained: TrainedModel) -> Answer:
    """Answer as a student's script does: open, convert to RGB, the same network, in batches."""

    @torch.no_grad()
    def answer(paths: Sequence[Path], batch_size: int) -> Answers:
        images, names = [], []
        for path in paths:
            try:
                with Image.open(path) as picture:
                    pixels_HWC = np.array(picture.convert("RGB"))
            except Exception:
                continue
            images.append(torch.from_numpy(pixels_HWC).permute(2, 0, 1))
            names.append(str(path))
        answers: Answers = {}
        for start in range(0, len(images), batch_size):
            inputs_BCHW = trained.normalization(torch.stack(images[start : start + batch_size]))
            labels = trained.model(inputs_BCHW).argmax(1).tolist()
            answers |= dict(zip(names[start : start + batch_size], labels, strict=True))
        return answers

    return answer
