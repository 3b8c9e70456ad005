"""How an export and its proof look on the screen."""

from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from ...errors import counted
from ...inference.export import FORMATS, OPSET, Exportable
from ...inference.exported_model import INPUT
from ...inference.verification import TIE, TOLERANCE, Agreement
from ...page import Page, list_facts, megabytes, times


def export_page(
    out: Path, format_name: str, model: Exportable, scored: str, found: dict[int, Agreement]
) -> Page:
    """List what the file ``out`` holds, and how near the scores of the images ``scored`` are."""
    content, reader = out.read_bytes(), FORMATS[format_name].reader
    digest, opset = sha256(content).hexdigest(), OPSET if format_name == "onnx" else None
    worst = max(found.values(), key=lambda one: one.largest_difference)
    fewest = min(found.values(), key=lambda one: one.same_class)
    shape, num_classes = model.trained.image_shape, len(model.trained.class_names)
    ties = f", {fewest.num_ties} a tie" if fewest.num_ties else ""
    facts = {
        "file": f"{format_name}{f', opset {opset}' if opset else ''}, {megabytes(len(content))}",
        "SHA-256": digest,
        "model": f"{model.trained.config.model.name}, float32, "
        f"uint8 N×{times(shape)} → {num_classes} scores",
        "proven by": f"{reader}: {scored}, {', '.join(map(str, found))} at a time",
        "scores": f"up to {worst.largest_difference:.1e} apart, where the largest is "
        f"{worst.largest_score:.3g}",
        "same class": f"{fewest.same_class:,} of {counted(fewest.num_images, 'image')}{ties}",
    }
    document = {
        "checkpoint": model.file.path,
        "path": str(out),
        "format": format_name,
        "num_bytes": len(content),
        "sha256": digest,
        "scored": scored,
        "reader": reader,
        "opset": opset,
        "input": {"name": INPUT, "type": "uint8", "shape": [None, *shape]},
        "tolerance": TOLERANCE,
        "tie": TIE,
        "agreement": [{"batch_size": size, **asdict(one)} for size, one in found.items()],
        **model.description.model_dump(mode="json"),
    }
    return Page((list_facts(facts.items(), str(out)),), document)
