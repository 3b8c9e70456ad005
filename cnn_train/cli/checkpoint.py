"""``cnn-train checkpoint``: look into checkpoints, check, share and import them."""

import shlex
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import CheckpointError, DataError, UsageError, name_some
from .console import error, notice, print_json, say, warn
from .loading import change_settings, evaluate_command, load_settings
from .options import CheckpointArgument, ForceOption, JsonOption, SetOption, require_free
from .present import present

if TYPE_CHECKING:
    from ..checkpoints.checkpoint import Checkpoint
    from ..data.normalization import Normalization
    from ..experiment import ExperimentConfig

app = typer.Typer(
    help="Look into checkpoints, check them, share their weights, import others.",
    no_args_is_help=True,
)


@app.command()
def show(checkpoint: CheckpointArgument, as_json: JsonOption = False) -> None:
    """Show what is in a checkpoint: model, classes, preprocessing, progress, origin."""
    from ..checkpoints.checkpoint import open_checkpoint
    from ..checkpoints.inspection import checkpoint_config
    from ..runs.directory import find_checkpoint
    from .display.checkpoint import checkpoint_page

    path = find_checkpoint(checkpoint)
    file = open_checkpoint(path)
    config = checkpoint_config(file.checkpoint, str(path))
    present(checkpoint_page(file, config), as_json=as_json)


@app.command()
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|RUN...", help="Checkpoints; of a run directory, all in it."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Read checkpoints to the end and check them; exit 4 where a file is damaged or is none."""
    from ..checkpoints.inspection import verify_checkpoints
    from ..runs.directory import find_checkpoint
    from ..runs.history import split_step

    named = [file if split_step(file)[1] is None else find_checkpoint(file) for file in files]
    verdicts = list(verify_checkpoints(named))
    damaged = [verdict for verdict in verdicts if verdict.problem]
    if as_json:
        print_json({"ok": not damaged, "files": [asdict(verdict) for verdict in verdicts]})
    for verdict in verdicts:
        if verdict.problem:
            error(verdict.problem)
        elif not as_json:
            say(f"{verdict.path}: ok (epochs done: {verdict.epochs_done}, step {verdict.step})")
    if damaged:
        raise typer.Exit(CheckpointError.exit_code)


@app.command()
def slim(
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", help="The checkpoint to write.")],
    precision: Annotated[
        Literal["float32", "float16"],
        typer.Option("--precision", help="float16: half the size, filters and matrices rounded."),
    ] = "float32",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="What it says of its data, e.g. data.root."
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a smaller checkpoint to share: all that using it needs, nothing to go on training."""
    from ..checkpoints.checkpoint import open_checkpoint, save_checkpoint
    from ..checkpoints.inspection import checkpoint_config
    from ..checkpoints.slimming import slim as make_slim
    from ..runs.directory import find_checkpoint
    from .display.checkpoint import checkpoint_page

    require_free(out, force, "--out")
    path = find_checkpoint(checkpoint)
    before = open_checkpoint(path)
    config = _change_data(checkpoint_config(before.checkpoint, str(path)), overrides)
    save_checkpoint(make_slim(before.checkpoint, config, path.name, precision), out)
    after = open_checkpoint(out)
    present(checkpoint_page(after, config), as_json=as_json)
    sizes = f"{after.num_bytes / 1e6:.2f} MB instead of {before.num_bytes / 1e6:.2f}"
    notice(f"wrote {out}: {sizes}; use it with: {evaluate_command(out, config.data)}")


@app.command("export-weights")
def export_weights(
    checkpoint: CheckpointArgument,
    out: Annotated[Path, typer.Option("--out", help="The .safetensors file to write.")],
    force: ForceOption = False,
) -> None:
    """Write what `cnn-train export --format safetensors` does, but score no images with it."""
    from ..checkpoints.checkpoint import open_checkpoint
    from ..checkpoints.exporting import export_weights as write
    from ..checkpoints.inspection import checkpoint_config
    from ..runs.directory import find_checkpoint

    require_free(out, force, "--out")
    path = find_checkpoint(checkpoint)
    file = open_checkpoint(path)
    contents = file.checkpoint
    checkpoint_config(contents, str(path))
    write(contents, out, file.digest)
    which = "averaged weights" if contents.averaged_model else "weights"
    say(f"{out}: {which}, {len(contents.usable_weights)} tensors")


@app.command("import")
def import_weights(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .pth, .ckpt or .safetensors file.")
    ],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML config of the network. Exported files have it."),
    ] = None,
    overrides: SetOption = None,
    out: Annotated[Path, typer.Option("--out", help="The checkpoint to write.")] = Path(
        "model.ckpt"
    ),
    classes: Annotated[
        str | None, typer.Option("--classes", help="Names in the order of the scores: cat,dog,…")
    ] = None,
    mean: Annotated[
        str | None, typer.Option("--mean", help="Per channel, as 1 = 255: 0.49,0.48,0.45")
    ] = None,
    std: Annotated[
        str | None, typer.Option("--std", help="Per channel, as 1 = 255: 0.25,0.24,0.26")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Which state dict to take, where there are several.")
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--verify", metavar="SCORES", help="A .npz, .json or .csv of the program's own scores."
        ),
    ] = None,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn weights of another program into a checkpoint; shows which tensor became which."""
    from ..checkpoints.checkpoint import save_checkpoint
    from ..checkpoints.importing import UNSAID
    from ..checkpoints.importing import import_weights as read
    from ..inference.trained_model import restore_trained_model
    from ..inference.verification import verify_scores
    from ..machine.device import resolve_device
    from .display.checkpoint import mapping_page

    require_free(out, force, "--out")
    if config is None and overrides:
        raise UsageError("--set: needs --config, whose settings it overrides")
    imported = read(
        file,
        load_settings(config, overrides) if config else None,
        class_names=_split_names(classes),
        normalization=_parse_normalization(mean, std),
        key=key,
    )
    agreement = None
    if scores:
        trained = restore_trained_model(imported.checkpoint, resolve_device("cpu"), str(file))
        agreement = verify_scores(trained, scores)
    save_checkpoint(imported.checkpoint, out)
    present(mapping_page(imported, agreement, file, out), as_json=as_json)
    notice(f"{file} looks like {imported.weights.kind}")
    if imported.weights.left_out:
        notice(f"left out: {name_some(imported.weights.left_out)}")
    notice(f"images are normalised by {imported.normalization}, {imported.normalization_from}")
    if agreement:
        notice(
            "{0}: the same scores for {num_images} images, up to {largest_difference:.2g} where "
            "the largest is {largest_score:.3g}".format(scores, **agreement)
        )
    elif not imported.weights.is_ours:
        warn(
            f"a state dict does not say {UNSAID}: these are the config's; --verify compares scores"
        )
    notice(f"wrote {out}; use it with: {_use_command(out, imported.checkpoint)}")


def _change_data(config: "ExperimentConfig", overrides: list[str] | None) -> "ExperimentConfig":
    """Apply overrides of ``data`` to a stored config; raises UsageError for any others."""
    from ..config.differences import differences

    changed = change_settings(config, overrides or [], "the checkpoint's config")
    trees = [one.model_dump(mode="json", exclude={"data"}) for one in (config, changed)]
    for change in differences(*trees):
        raise UsageError(f"--set {change.key}: the weights were trained so; only data can change")
    return changed


def _use_command(out: Path, checkpoint: "Checkpoint") -> str:
    """Return the command for an imported model: evaluate where its dataset has its classes."""
    from ..checkpoints.inspection import checkpoint_config

    data = checkpoint_config(checkpoint, str(out)).data
    with suppress(DataError):
        if set(data.known_images().class_names or ()) == set(checkpoint.class_names):
            return evaluate_command(out, data)
    return f"cnn-train predict IMAGE --checkpoint {shlex.quote(str(out))}"


def _split_names(classes: str | None) -> list[str] | None:
    if classes is None:
        return None
    names = [name.strip() for name in classes.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise UsageError(f"--classes {classes}: names separated by commas, each only once")
    return names


def _parse_normalization(mean: str | None, std: str | None) -> "Normalization | None":
    """Read both or neither; deviations are above 0."""
    from ..data.normalization import Normalization

    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise UsageError("--mean and --std: give both or neither")
    means, deviations = _parse_numbers("--mean", mean), _parse_numbers("--std", std)
    if min(deviations) <= 0:
        raise UsageError(f"--std {std}: deviations are above 0")
    return Normalization(means, deviations)


def _parse_numbers(option: str, text: str) -> tuple[float, ...]:
    """Read numbers in [0, 1]; bytes as 0 to 255 are a mistake that would spoil every prediction."""
    from ..config.scalars import read_number, split_numbers

    numbers = tuple(read_number(option, text, word) for word in split_numbers(option, text))
    if not numbers or not all(0 <= number <= 1 for number in numbers):
        raise UsageError(f"{option} {text}: numbers from 0 to 1 separated by commas, as 0.49,0.48")
    return numbers
