"""``cnn-train evaluate --against``: is another model better on the same images?"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..page import Block, Page, paragraph
from .loading import open_model

if TYPE_CHECKING:
    from ..data.dataset import DataAccess
    from ..evaluation.evaluate import Evaluation
    from ..inference.trained_model import TrainedModel


def add_rival(
    page: Page,
    result: "Evaluation",
    trained: "TrainedModel",
    device: str,
    against: Path,
    access: "DataAccess",
    data_root: Path | None,
    **scoring: Any,
) -> Page:
    """Measure another model on its images of the same split; add the paired test to the page."""
    from ..evaluation.evaluate import evaluate, load_split
    from ..evaluation.paired import compare_evaluations
    from ..runs.directory import find_checkpoint
    from .display.paired import paired_blocks

    path = find_checkpoint(against)
    rival = open_model(path, device)
    images = load_split(rival, scoring["split"], access, data_root)
    other = evaluate(rival, images, **scoring)
    paths = (page.document["checkpoint"], str(path))
    seen = [trained.training_images, rival.training_images]
    blocks: tuple[Block, ...]
    try:
        paired = compare_evaluations([result, other], seen)
    except DataError as reason:
        blocks, document = (paragraph(f"no paired test with {path}: {reason}"),), None
    else:
        labels = [f"{name}  {place}" for name, place in zip("AB", paths, strict=True)]
        blocks = paired_blocks(paired, "AB", labels, f"of the {scoring['split']} split")
        document = {"models": list(paths)} | asdict(paired)
    more = {"against": document}
    return replace(page, blocks=(*page.blocks, *blocks), document=page.document | more)
