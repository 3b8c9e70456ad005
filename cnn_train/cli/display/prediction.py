"""What predictions look like on the screen: a block per image."""

from collections.abc import Sequence

from ...inference.predict import ClassScore, Prediction
from ...page import Block, Column, bar, percent

BAR_WIDTH = 16
COLUMNS = (Column("", is_number=False), Column(""), Column("", is_number=False, style="cyan"))
SCORES = "The numbers are scores, not probabilities: the model was trained with a hinge loss."


def describe_predictions(predictions: Sequence[Prediction]) -> tuple[Block, ...]:
    """Make a block per image: its path, the answer, the best classes."""
    blocks = [
        Block(
            heading=prediction.path,
            lines=(*prediction.notices, describe(prediction)),
            picture_CHW=prediction.image_CHW,
            columns=COLUMNS,
            rows=tuple(_row(entry, prediction.top[0].score) for entry in prediction.top),
        )
        for prediction in predictions
    ]
    if predictions and predictions[0].top[0].probability is None:
        blocks.append(Block(notes=(SCORES,)))
    return tuple(blocks)


def describe(prediction: Prediction) -> str:
    """Return the answer in words: ``cat 87.3 %``, or ``cat, 1.20 ahead of dog`` for scores."""
    best = prediction.top[0]
    if best.probability is not None:
        return f"{best.label} {percent(best.probability)}"
    rival = f" {prediction.top[1].label}" if len(prediction.top) > 1 else " the runner-up"
    return f"{best.label}, {prediction.margin:.2f} ahead of{rival}"


def _row(entry: ClassScore, best_score: float) -> tuple[str, str, str]:
    """Draw a bar from 0 to the probability, or to the score as a part of the best one."""
    if entry.probability is not None:
        return entry.label, percent(entry.probability), bar(entry.probability, BAR_WIDTH)
    share = entry.score / best_score if best_score > 0 else 0.0
    return entry.label, f"{entry.score:.2f}", bar(share, BAR_WIDTH)
