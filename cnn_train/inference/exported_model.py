"""A model in an exported file, computed by the file's own runtime: bytes in, scores out.

Shape letters: B minibatch, C channels, H W pixels, K classes.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints.checkpoint import read_content
from ..checkpoints.exporting import read_description
from ..errors import CheckpointError, UsageError, in_one_line, is_out_of_memory
from ..machine.device import Device, Precision
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


def require_libraries(*names: str) -> None:
    """Raise UsageError where a library of the extra ``export`` is not installed."""
    from importlib.util import find_spec

    if missing := [name for name in names if find_spec(name) is None]:
        raise UsageError(
            f"this needs {' and '.join(missing)}; install with: pip install 'cnn-train[export]'"
        )


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
    require_libraries("onnxruntime")
    content = read_content(path)
    require_sealed(content, path)
    session = _open_session(content, path)

    def run(images_BCHW: Tensor) -> Tensor:
        try:
            (scores_BK,) = session.run([OUTPUT], {INPUT: images_BCHW.numpy()})
        except Exception as problem:  # of onnxruntime: a class for each kind
            raise _refusal(problem, path) from None
        return torch.from_numpy(scores_BK)

    model = _assemble(run, session.get_modelmeta().custom_metadata_map, path, "onnxruntime")
    found = [
        (end.name, end.type, end.shape[1:])
        for end in (*session.get_inputs(), *session.get_outputs())
    ]
    scores = (OUTPUT, "tensor(float)", [len(model.class_names)])
    if found != [(INPUT, "tensor(uint8)", list(model.image_shape)), scores]:
        raise CheckpointError(f"{path}: its graph does not fit its metadata; export it again")
    return model


def _open_session(content: bytes, path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong comes as an exception too
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as problem:
        raise _refusal(problem, path) from None


def _refusal(problem: Exception, path: Path) -> Exception:
    """Return an error of onnxruntime in one line, and a lack of memory as it is."""
    if is_out_of_memory(problem):
        return problem
    reason = " ".join(in_one_line(problem).split())[:MOST_IN_A_MESSAGE]
    return CheckpointError(f"{path}: onnxruntime cannot use it ({reason}); export it again")


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
