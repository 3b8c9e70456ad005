"""How a checkpoint's contents and an import's mapping look on the screen."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import name_some
from ...page import Block, Page, list_facts, percent, texts, times

if TYPE_CHECKING:
    from ...checkpoints.checkpoint import Checkpoint
    from ...checkpoints.importing import Import
    from ...checkpoints.inspection import CheckpointFile
    from ...experiment import ExperimentConfig


def checkpoint_page(file: "CheckpointFile", config: "ExperimentConfig") -> Page:
    """Make one fact per line; epochs count from 1, accuracy is in percent."""
    one = file.checkpoint
    weights = "averaged weights" if one.averaged_model else "weights"
    facts = {
        "file": f"format {file.format_version}, {file.num_bytes / 1e6:.2f} MB, whole",
        "SHA-256": file.digest,
        "model": f"{config.model.name}, {file.num_values:,} numbers in its {weights}",
        "classes": f"{len(one.class_names)}: {name_some(one.class_names)}",
        "images": f"{times(one.image_shape)} (C×H×W), {_normalization(one)}",
        "trained": _describe_training(config),
        "progress": _describe_progress(one, config.epochs),
        "validation": "—" if one.val_accuracy is None else percent(one.val_accuracy, 2),
        **_describe_data(one),
        "environment": _join(one.environment),
    }
    if one.config_changes:
        facts["changed"] = ", ".join(map(_describe_change, one.config_changes))
    return Page((list_facts(facts.items(), str(file.path)),), file.to_json())


def _normalization(one: "Checkpoint") -> str:
    return ", ".join(
        f"{name} {' '.join(f'{value:.4f}' for value in values)}"
        for name, values in one.normalization.items()
    )


def _describe_training(config: "ExperimentConfig") -> str:
    return (
        f"on {config.data.name}: {config.loss.name}, {config.optimizer.name} at rate "
        f"{config.optimizer.lr:g}, batch size {config.batch_size}, seed {config.seed}"
    )


def _describe_progress(one: "Checkpoint", epochs: int) -> str:
    if one.imported_from is not None:
        return f"imported from {one.imported_from}: no run to go on with"
    under_way = f" and {one.position} minibatches" if one.position else ""
    return f"{one.epoch} of {epochs} epochs{under_way}, step {one.step}"


def _describe_data(one: "Checkpoint") -> dict[str, str]:
    """Give each split's fingerprint a line: it fills one."""
    digests = {f"{split} data": digest for split, digest in one.data_fingerprints.items()}
    return digests or {"data": "—"}


def _describe_change(change: dict[str, Any]) -> str:
    return f"{change['key']} from {change['before']} to {change['after']} at step {change['step']}"


def _join(facts: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def mapping_page(imported: "Import", file: Path, out: Path) -> Page:
    """Make a row per tensor: its name in the file and in the model, and its shape."""
    checkpoint = imported.checkpoint
    table = Block(
        columns=texts("in the file", "in the model", "shape", "matched by"),
        rows=tuple((one.theirs, one.ours, times(one.shape), one.by) for one in imported.matches),
    )
    document = {
        "path": str(file),
        "looks_like": imported.kind,
        "out": str(out),
        "class_names": checkpoint.class_names,
        "image_shape": checkpoint.image_shape,
        "normalization": checkpoint.normalization,
        "mapping": [asdict(match) | {"shape": list(match.shape)} for match in imported.matches],
    }
    return Page((table,), document)
