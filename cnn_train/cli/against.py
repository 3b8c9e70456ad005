"""``cnn-train evaluate --against``: is another model better on the same images?"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from ..page import Block, Page, paragraph

if TYPE_CHECKING:
    from ..data.dataset import DataAccess
    from ..evaluation.evaluate import Evaluation
    from ..inference.trained_model import TrainedModel


def add_rival(
    page: Page,
    result: "Evaluation",
    trained: "TrainedModel",
    path: Path,
    rival: "TrainedModel",
    access: "DataAccess",
    data_root: Path | None,
    **scoring: Any,
) -> Page:
    """Measure the model of ``path`` on the same images; add the paired test to the page.

    One whose images are cut or scaled otherwise is measured on its own dataset's same split.
    """
    from ..evaluation.evaluate import evaluate, load_split
    from ..evaluation.paired import compare_evaluations
    from .display.paired import paired_blocks

    paths, split = (page.document["checkpoint"], str(path)), scoring["split"]
    seen = [trained.training_images, rival.training_images]
    blocks: tuple[Block, ...]
    try:
        images = result.images.relabel(rival.class_names, f"the {split} split")
        if _reading(rival) != _reading(trained):
            images = load_split(rival, split, access, data_root)
        paired = compare_evaluations([result, evaluate(rival, images, **scoring)], seen)
        labels = [f"{name}  {place}" for name, place in zip("AB", paths, strict=True)]
        blocks = paired_blocks(paired, "AB", labels, f"of the {split} split")
        document = page.document | {"against": {"models": list(paths)} | asdict(paired)}
    except DataError as reason:
        blocks = (paragraph(f"no paired test with {path}: {reason}"),)
        document = page.document | {"against": None}
    return replace(page, blocks=(*page.blocks, *blocks), document=document)


def _reading(trained: "TrainedModel") -> tuple[object, ...]:
    return trained.image_shape, trained.config.data.reading(trained.image_shape[-1])
