"""Write a model in another program's format, and let that program prove the file before it counts.

Shape letters: N images, B minibatch, C channels, H W pixels, K classes.
"""

import copy
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoints.checkpoint import CheckpointFile
from ..checkpoints.exporting import ModelDescription, encode_weights
from ..checkpoints.importing import import_weights
from ..errors import CheckpointError, UsageError
from ..machine.atomic_file import write_atomically
from ..machine.device import resolve_device
from ..machine.optional_library import require_libraries
from ..random_streams import make_generator
from .exported_model import (
    INPUT,
    METADATA_FILE,
    OUTPUT,
    explained,
    load_onnx_model,
    load_torch_export,
    seal,
)
from .trained_model import ONNX, TrainedModel, restore_trained_model
from .verification import Agreement

OPSET = 18
"""Of ONNX: from the end of 2022, and the oldest one that torch's exporter writes by itself."""

BATCH_SIZES = (1, 7, 64)
"""One image, a number that no graph has by chance, and more than the graph was made with."""


@dataclass(frozen=True)
class Exportable:
    """A checkpoint, the network in it (on the CPU, in float32), and what a file says of them."""

    file: CheckpointFile
    trained: TrainedModel
    description: ModelDescription

    @classmethod
    def of(cls, file: CheckpointFile) -> "Exportable":
        """Build the network; raises CheckpointError where the file is of no use."""
        cpu = resolve_device("cpu")
        trained = restore_trained_model(file.checkpoint, cpu, file.path)
        description = ModelDescription.of(file.checkpoint, file.digest)
        return cls(file, trained.in_float32(), description)

    def network(self) -> "PixelsToScores":
        """Return a copy of the plain network with the normalisation before it."""
        plain = copy.deepcopy(self.trained.model)
        plain.to(memory_format=torch.contiguous_format)
        return PixelsToScores(self.trained.normalization, plain).eval()

    def example(self) -> Tensor:
        """Return images to trace with: two, as torch takes the numbers 0 and 1 for constants."""
        return torch.zeros(2, *self.trained.image_shape, dtype=torch.uint8)


class PixelsToScores(nn.Module):
    """What an exported graph computes: uint8 images BCHW become float32 scores BK."""

    def __init__(self, normalization: Callable[[Tensor], Tensor], network: nn.Module) -> None:
        super().__init__()
        self.normalization = normalization
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores; the argument's name is that of the graph's input."""
        scores_BK: Tensor = self.network(self.normalization(images))
        return scores_BK


def encode_onnx(model: Exportable) -> bytes:
    """Return an ONNX file; the exporter's notes, with paths of this machine, are not in it."""
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    program: Any = torch.onnx.export(
        model.network(),
        (model.example(),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes={INPUT: {0: "batch"}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    ClearMetadataAndDocStringPass()(program.model)
    program.model.metadata_props.clear()
    program.model.metadata_props.update(model.description.to_metadata())
    return seal(program.model_proto.SerializeToString())


def encode_torch_export(model: Exportable) -> bytes:
    """Return an archive of torch.export (.pt2)."""
    batch = torch.export.Dim("batch")
    program = torch.export.export(
        model.network(), (model.example(),), dynamic_shapes={INPUT: {0: batch}}
    )
    buffer = io.BytesIO()
    metadata = json.dumps(model.description.to_metadata())
    torch.export.save(program, buffer, extra_files={METADATA_FILE: metadata})
    return buffer.getvalue()


@dataclass(frozen=True)
class Format:
    """A kind of file: how its name ends, how it is made, and what reads it back."""

    suffix: str
    encode: Callable[[Exportable], bytes]
    reader: str
    load: Callable[[Path], TrainedModel]
    libraries: tuple[str, ...] = ()


FORMATS = {
    "onnx": Format(
        ONNX, encode_onnx, "onnxruntime", load_onnx_model, ("onnx", "onnxscript", "onnxruntime")
    ),
    "torch-export": Format(".pt2", encode_torch_export, "torch.export.load", load_torch_export),
    "safetensors": Format(
        ".safetensors",
        lambda model: encode_weights(model.file.checkpoint, model.description),
        "checkpoint import",
        lambda path: restore_trained_model(
            import_weights(path).checkpoint, resolve_device("cpu"), str(path)
        ).in_float32(),
    ),
}


def choose_format(name: str, out: Path) -> Format:
    """Return the format; raises UsageError where it, the file's name or a library does not fit."""
    chosen = FORMATS.get(name)
    if chosen is None:
        raise UsageError(f"--format {name}: unknown; choose {', '.join(FORMATS)}")
    if out.suffix != chosen.suffix:
        raise UsageError(f"--out {out}: with --format {name}, its name ends in {chosen.suffix}")
    require_libraries(f"--format {name}", *chosen.libraries, extra="export")
    return chosen


def export_model(
    model: Exportable, chosen: Format, images_NCHW: Tensor, out: Path
) -> dict[int, Agreement]:
    """Write ``out``, once its own runtime has scored ``images_NCHW`` as the checkpoint does.

    Returns how well it did so, by the number of images at a time. Raises CheckpointError where the
    scores are others, or the format cannot hold the network: then ``out`` is as it was before.
    """
    scores_NK = model.trained.scores(images_NCHW)
    if not scores_NK.isfinite().all():
        raise CheckpointError(f"{model.file.path}: returns NaN scores; choose another checkpoint")
    name, advice = model.trained.config.model.name, "choose another --format"
    with explained(f"{name} cannot be exported as {chosen.suffix}", advice):
        content = chosen.encode(model)
    found: dict[int, Agreement] = {}

    def prove(temporary: Path) -> None:
        with explained(f"{out}: not written: {chosen.reader} cannot use the new file", advice):
            loaded = chosen.load(temporary)
            scored = {size: loaded.scores(images_NCHW, batch_size=size) for size in BATCH_SIZES}
        for size, theirs_NK in scored.items():
            found[size] = agreement = Agreement.of(scores_NK, theirs_NK)
            if not agreement.is_same:
                raise CheckpointError(
                    f"{out}: not written: {chosen.reader} gives other scores than the checkpoint "
                    f"({size} at a time): {agreement}; {advice}"
                )

    write_atomically(out, content, prove=prove)
    return found


def generate_images(image_shape: tuple[int, int, int], number: int) -> Tensor:
    """Draw uint8 images NCHW, always the same: noise of every pixel and noise of large patches."""
    generator = make_generator(0, "images to compare exported models by")
    fine_NCHW = torch.rand(number, *image_shape, generator=generator)
    coarse_NC44 = torch.rand(number, image_shape[0], 4, 4, generator=generator)
    fine_NCHW[1::2] = F.interpolate(coarse_NC44, image_shape[1:], mode="bilinear")[1::2]
    return (256 * fine_NCHW).to(torch.uint8)
