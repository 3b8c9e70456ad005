"""How an export and its proof look on the screen."""

from dataclasses import asdict
from typing import Any

from ...inference.export import OPSET, Exportable, Format
from ...inference.verification import TIE, TOLERANCE, Agreement
from ...page import Page, list_facts, times


def export_page(
    document: dict[str, Any], model: Exportable, chosen: Format, found: dict[int, Agreement]
) -> Page:
    """List what the file holds, how it was proven, and how near the scores are."""
    worst = max(found.values(), key=lambda one: one.largest_difference)
    fewest = min(found.values(), key=lambda one: one.same_class)
    opset = f", opset {OPSET}" if document["format"] == "onnx" else ""
    num_classes = len(model.trained.class_names)
    ends = f"uint8 N×{times(model.trained.image_shape)} → {num_classes} scores"
    ties = f", {fewest.num_ties} a tie" if fewest.num_ties else ""
    facts = {
        "file": f"{document['format']}{opset}, {document['num_bytes'] / 1e6:.2f} MB",
        "SHA-256": document["sha256"],
        "model": f"{model.trained.config.model.name}, float32, {ends}",
        "proven by": f"{chosen.reader}: {document['scored']}, "
        f"{', '.join(map(str, found))} at a time",
        "scores": f"up to {worst.largest_difference:.1e} apart, where the largest is "
        f"{worst.largest_score:.3g}",
        "same class": f"{fewest.same_class:,} of {fewest.num_images:,} images{ties}",
    }
    document = document | {
        "reader": chosen.reader,
        "opset": OPSET if opset else None,
        "input": {"name": "images", "type": "uint8", "shape": [None, *model.trained.image_shape]},
        "tolerance": TOLERANCE,
        "tie": TIE,
        "agreement": [{"batch_size": size, **asdict(one)} for size, one in found.items()],
        **model.description.model_dump(mode="json"),
    }
    return Page((list_facts(facts.items(), document["path"]),), document)
