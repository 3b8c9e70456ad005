"""How a checkpoint's contents and an import's mapping look on the screen."""

from dataclasses import asdict
from pathlib import Path

from ...checkpoints.checkpoint import Checkpoint, CheckpointFile
from ...checkpoints.importing import Import
from ...data.normalization import Normalization
from ...errors import counted, name_some
from ...experiment import ExperimentConfig
from ...page import Block, Page, list_facts, percent, texts, times


def checkpoint_page(file: CheckpointFile, config: ExperimentConfig) -> Page:
    """List the facts, one per line; accuracy is in percent."""
    checkpoint, accuracy = file.checkpoint, file.checkpoint.val_accuracy
    weights = "averaged weights" if checkpoint.averaged_model else "weights"
    stored = (
        f", {file.weights_precision} in the file" if file.weights_precision != "float32" else ""
    )
    digests = {f"{split} data": digest for split, digest in checkpoint.data_fingerprints.items()}
    facts = {
        "file": f"format {file.format_version}, {file.num_bytes / 1e6:.2f} MB, whole",
        "SHA-256": file.digest,
        "model": f"{config.model.name}, {file.num_values:,} numbers in its {weights}{stored}",
        "classes": f"{len(checkpoint.class_names)}: {name_some(checkpoint.class_names)}",
        "images": f"{times(checkpoint.image_shape)} (C×H×W), "
        f"{Normalization.from_lists(checkpoint.normalization)}",
        "trained": f"on {config.data.name}: {config.loss.name}, {config.optimizer.name} at rate "
        f"{config.optimizer.lr:g}, batch size {config.batch_size}, seed {config.seed}",
        "progress": _describe_progress(checkpoint, config.epochs),
        "validation": "—" if accuracy is None else percent(accuracy, 2),
        **(digests or {"data": "—"}),
        "environment": ", ".join(f"{key} {value}" for key, value in checkpoint.environment.items()),
    }
    if checkpoint.config_changes:
        facts["changed"] = ", ".join(
            "{key} from {before} to {after} at step {step}".format(**change)
            for change in checkpoint.config_changes
        )
    return Page((list_facts(facts.items(), str(file.path)),), file.to_json())


def _describe_progress(checkpoint: Checkpoint, epochs: int) -> str:
    under_way = f" and {counted(checkpoint.position, 'minibatch')}" if checkpoint.position else ""
    done = f"{checkpoint.epoch} of {counted(epochs, 'epoch')}{under_way}, step {checkpoint.step}"
    if checkpoint.imported_from is None:
        return done
    origin = f"the weights of {checkpoint.imported_from} alone: no run to go on with"
    return f"{done}; {origin}" if checkpoint.step else origin


def mapping_page(
    imported: Import, agreement: dict[str, float] | None, file: Path, out: Path
) -> Page:
    """Make a row per tensor: its name in the file and in the model, and its shape."""
    checkpoint = imported.checkpoint
    table = Block(
        columns=texts("in the file", "in the model", "shape", "matched by"),
        rows=tuple(
            (match.theirs, match.ours, times(match.shape), match.by) for match in imported.matches
        ),
    )
    document = {
        "path": str(file),
        "looks_like": imported.weights.kind,
        "left_out": list(imported.weights.left_out),
        "out": str(out),
        "class_names": checkpoint.class_names,
        "image_shape": checkpoint.image_shape,
        "normalization": checkpoint.normalization,
        "normalization_from": imported.normalization_from,
        "verified": agreement,
        "mapping": [asdict(match) | {"shape": list(match.shape)} for match in imported.matches],
    }
    return Page((table,), document)
