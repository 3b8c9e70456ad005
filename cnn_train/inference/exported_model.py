"""A model in an exported file, computed by the file's own runtime: bytes in, scores out.

Shape letters: B minibatch, C channels, H W pixels, K classes.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoints.checkpoint import read_content
from ..checkpoints.exporting import read_description
from ..errors import CheckpointError, UsageError, in_one_line, is_out_of_memory
from ..machine.device import Device, Precision
from ..machine.optional_library import require_libraries
from .trained_model import TrainedModel

INPUT, OUTPUT = "images", "scores"
"""What the graph's ends are called: uint8 images BCHW and float32 scores BK, of any number B."""

METADATA_FILE = "cnn_train.json"
"""The extra file in a torch.export archive."""

SEAL, DIGEST_DIGITS = b"\x72\x4a\x0a\x06sha256\x12\x40", 64
"""An ONNX file ends with this and the SHA-256 of all bytes before it, in hex digits.

To a reader of ONNX (a protobuf) that is one more entry of the metadata, with the name sha256.
"""

MOST_IN_A_MESSAGE = 200


class ExportedNetwork(nn.Module):
    """Stands for a network without layers that Python could see; its graph normalises bytes."""

    def __init__(self, run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.run = run

    def forward(self, levels_BCHW: Tensor) -> Tensor:
        """Return scores BK of whole numbers from 0 to 255, whatever their type."""
        return self.run(levels_BCHW.to(torch.uint8).contiguous())


@contextmanager
def explained(failure: str, advice: str) -> Iterator[None]:
    """Turn what an exporter or a runtime raises, a class for each step, into a CheckpointError."""
    try:
        yield
    except Exception as problem:
        if isinstance(problem, UsageError) or is_out_of_memory(problem):
            raise
        reason = " ".join(in_one_line(problem).split())[:MOST_IN_A_MESSAGE]
        raise CheckpointError(
            f"{failure} ({type(problem).__name__}: {reason}); {advice}"
        ) from problem


def seal(content: bytes) -> bytes:
    """Return the bytes of an ONNX file with their digest behind them."""
    return content + SEAL + sha256(content).hexdigest().encode()


def require_sealed(content: bytes, path: Path) -> None:
    """Raise CheckpointError for any other file, before it is parsed."""
    end = len(content) - DIGEST_DIGITS
    if not content[:end].endswith(SEAL):
        raise CheckpointError(
            f"{path}: no ONNX file that `cnn-train export` wrote, or cut short: it does not say "
            "its classes; export the checkpoint again"
        )
    if sha256(content[: end - len(SEAL)]).hexdigest().encode() != content[end:]:
        raise CheckpointError(f"{path}: damaged, or changed since `cnn-train export` wrote it")


def load_onnx_model(path: Path, device: str = "auto") -> TrainedModel:
    """Load an .onnx file that ``cnn-train export`` wrote; onnxruntime computes it on the CPU.

    Raises CheckpointError where the file is missing, damaged or of another program, UsageError for
    another device or where onnxruntime is not installed.
    """
    if device not in ("auto", "cpu"):
        raise UsageError(f"--device {device}: .onnx files are computed on the CPU; leave it out")
    require_libraries(str(path), "onnxruntime", extra="export")
    content = read_content(path)
    require_sealed(content, path)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong comes as an exception too
    options.intra_op_num_threads = torch.get_num_threads()
    unusable = (f"{path}: onnxruntime cannot use it", "export it again")
    with explained(*unusable):
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(images_BCHW: Tensor) -> Tensor:
        with explained(*unusable):
            (scores_BK,) = session.run([OUTPUT], {INPUT: images_BCHW.numpy()})
        return torch.from_numpy(scores_BK)

    return _assemble(run, session.get_modelmeta().custom_metadata_map, path, "onnxruntime")


def load_torch_export(path: Path) -> TrainedModel:
    """Load an archive of torch.export that is known to be ours: foreign ones may run code."""
    extra = {METADATA_FILE: ""}
    with path.open("rb") as file:
        network = torch.export.load(file, extra_files=extra).module()

    def run(images_BCHW: Tensor) -> Tensor:  # such a module cannot be put into eval mode again
        scores_BK: Tensor = network(images_BCHW)
        return scores_BK

    return _assemble(run, json.loads(extra[METADATA_FILE]), path, "torch.export")


def _assemble(
    run: Callable[[Tensor], Tensor], metadata: dict[str, str], path: Path, runtime: str
) -> TrainedModel:
    stored, config, normalization = read_description(metadata, path)
    return TrainedModel(
        ExportedNetwork(run),
        stored.class_names,
        stored.image_shape,
        normalization,
        config,
        Device(torch.device("cpu"), runtime),
        Precision(torch.float32, "as exported"),
        stored.data_fingerprints,
        stored.epoch,
        stored.val_accuracy,
        takes_levels=True,
    )
