"""``cnn-train visualize``: what a trained network looks at, a sub-command per method."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..config.spelling import nearest
from ..errors import UsageError
from .console import notice, progress
from .loading import make_data_access, open_model
from .options import (
    CheckpointArgument,
    DataDirOption,
    DataRootOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    number,
)
from .present import PictureOption, check_picture, present
from .strict_command import Group, StrictCommand

PATH_NEEDS = (
    "the path of the weights needs a run that keeps 3 states: fit --set checkpoint.keep_history=log"
)
ALWAYS = frozenset({"checkpoint", "data_dir", "offline", "device", "as_json", "out"})
SPLIT = frozenset({"split", "num_images", "data_root"})
IMAGES = SPLIT | {"images"}
UNITS = frozenset({"layers", "channels", "num_channels"})

COMMANDS: dict[str, tuple[frozenset[str], str]] = {
    "filters": (UNITS, "The filters of the first layer, or a linear classifier's templates."),
    "maps": (UNITS | IMAGES, "What the channels of some layers make of an image."),
    "top-patches": (UNITS | IMAGES, "The patches that excite each channel most."),
    "guided": (
        UNITS | IMAGES | {"signals_only"},
        "The strongest patches, and what guided backpropagation brings back from them.",
    ),
    "deconv": (
        UNITS | IMAGES | {"signals_only"},
        "The strongest patches, and what the deconvolutional network makes of them.",
    ),
    "saliency": (IMAGES | {"label"}, "How strongly the score of a class depends on each pixel."),
    "cam": (
        IMAGES | {"label", "layers"},
        "Where the maps of a layer speak for a class (Grad-CAM).",
    ),
    "occlusion": (
        IMAGES | {"label", "window_px"},
        "What the score of a class loses where the image is covered.",
    ),
    "embedding": (SPLIT | {"projection"}, "A map of all images by the network's last features."),
    "loss-surface": (
        SPLIT | {"plane", "reach", "num_points", "seed"},
        "How the loss rises around the weights, and the way that they came.",
    ),
}
"""The parameters of ``visualize`` that each method reads, and what it shows."""


class MethodCommand(StrictCommand):
    """A method, with the options that it reads and no others."""

    def __init__(self, name: str, *, params: Iterable[Any], **settings: Any) -> None:
        reads = COMMANDS[name][0] | ALWAYS
        super().__init__(name, params=[p for p in params if p.name in reads], **settings)


class MethodGroup(Group):
    """The methods; ``visualize CHECKPOINT --method cam`` means ``visualize cam CHECKPOINT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the method first where it is an option, and refuse what is no method."""
        if args and args[0] not in self.commands:
            args = _method_first(args)
            if args[0] not in self.commands and not args[0].startswith("-"):
                guess = nearest(args[0], self.commands)
                hint = f"did you mean {guess!r}? " if guess else ""
                ctx.fail(f"No method {args[0]!r}; {hint}choose from {', '.join(self.commands)}")
        return super().parse_args(ctx, args)


def _method_first(args: list[str]) -> list[str]:
    for i, word in enumerate(args):
        if word in ("-m", "--method") and i + 1 < len(args):
            return [args[i + 1], *args[:i], *args[i + 2 :]]
        for start in ("--method=", "-m"):
            if word.startswith(start) and len(word) > len(start):
                return [word.removeprefix(start), *args[:i], *args[i + 1 :]]
    return args


app = typer.Typer(
    cls=MethodGroup,
    no_args_is_help=True,
    subcommand_metavar="METHOD CHECKPOINT ...",
    help="Look inside: filters, maps, strongest patches, what speaks for a class, a map, the loss.",
)


def visualize(
    context: typer.Context,
    checkpoint: CheckpointArgument,
    layers: Annotated[
        list[str] | None,
        typer.Option("--layer", help="Layers as `models show` names them, e.g. conv1_1,conv3_2."),
    ] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(
            "--channel",
            help="Channels, e.g. 3,17. Default: the strongest; of patches, unlike ones first.",
        ),
    ] = None,
    num_channels: Annotated[
        int | None, typer.Option("--num-channels", min=1, help="How many of them by default.")
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option("--image", help="Image file; repeatable. Default: images of the split."),
    ] = None,
    split: Annotated[
        Literal["train", "val"] | None,
        typer.Option("--split", help="Where images come from: val (the default) or train."),
    ] = None,
    num_images: Annotated[
        int | None,
        typer.Option(
            "--num-images", min=1, help="How many of the split. Default: as the method needs."
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--class", help="The class to explain. Default: the predicted one."),
    ] = None,
    window_px: Annotated[
        int | None,
        typer.Option("--window", min=1, help="Side of the cover in px. Default: a quarter."),
    ] = None,
    projection: Annotated[
        Literal["pca", "tsne"] | None,
        typer.Option("--projection", help="pca (the default), or tsne (scikit-learn)."),
    ] = None,
    signals_only: Annotated[
        bool, typer.Option("--signals-only", help="Draw no patches beside them.")
    ] = False,
    plane: Annotated[
        Literal["path", "random"] | None,
        typer.Option("--plane", help="Default: of the run's path, where it keeps 3 states."),
    ] = None,
    reach: Annotated[
        float | None,
        typer.Option(
            "--reach", parser=number(), help="How far, in lengths of each filter. Default: 1."
        ),
    ] = None,
    num_points: Annotated[
        int | None, typer.Option("--num-points", min=3, help="Points per side, odd. Default: 21.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of random directions. Default: 0.")
    ] = None,
    data_root: DataRootOption = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Look at a trained network by the method that the sub-command names."""
    from ..evaluation.evaluate import load_split
    from ..runs.directory import find_checkpoint
    from ..visualize.methods import METHODS
    from ..visualize.request import Request, Subjects

    check_picture(out)
    of_split = {"--split": split, "--num-images": num_images, "--data-root": data_root}
    for option, value in of_split.items():
        if images and value is not None:
            raise UsageError(f"{option}: the images are those of --image; leave it out")
    if reach is not None and not 0 < reach < math.inf:
        raise UsageError(f"--reach {reach:g}: is no distance; take a number above 0, e.g. 0.5")
    if num_points is not None and num_points % 2 == 0:
        raise UsageError(f"--num-points {num_points}: is even; take one more: the middle is θ")
    choices: dict[str, Any] = {
        "layers": _names("--layer", layers),
        "channels": _numbers(_names("--channel", channels)),
        "num_channels": num_channels,
        "label": label,
        "window_px": window_px,
        "projection": projection,
        "signals_only": signals_only,
        "split": split,
        "reach": reach,
        "num_points": num_points,
        "seed": seed,
    }
    name = str(context.info_name)
    method = METHODS[name]
    drawn = "--seed" if seed is not None else "--reach" if reach is not None else ""
    if plane == "path" and drawn:
        raise UsageError(f"{drawn}: is of random directions; leave it out with --plane path")
    wants_path = name == "loss-surface" and plane != "random" and not drawn
    choices["states"] = states = _states_on_path(checkpoint) if wants_path else {}
    if plane == "path" and not states:
        raise UsageError(f"--plane path: {checkpoint}: {PATH_NEEDS}")
    path = [*states.values()][-1] if states else find_checkpoint(checkpoint)
    exact = not method.scores_as_evaluate
    trained = open_model(path, device, exact=exact, layers_for=f"visualize {name}")
    if images:
        subjects = Subjects.load(images, trained.reading())
    elif method.num_images == 0:
        subjects = Subjects.none(trained.image_shape)
    else:
        access = make_data_access(data_dir, offline)
        source = load_split(trained, split or "val", access, data_root)
        subjects = Subjects.of(source, num_images or method.num_images)
    given = {key: value for key, value in choices.items() if value is not None}
    page = method.show(Request(trained, subjects, progress=progress, **given))
    document = {"checkpoint": str(path), "method": name} | page.document
    present(replace(page, document=document), as_json=as_json, out=out)
    if out is None and not as_json:
        notice("to look at it, add --out FILE.png")
    if wants_path and not states:
        notice(f"random directions: {PATH_NEEDS}")


def _states_on_path(run: Path) -> dict[int, Path]:
    """Return the kept states of a run, oldest first; none where they are too few for a path."""
    from ..runs.damage import damage_named
    from ..runs.directory import RunDirectory, at_best
    from ..visualize.descent_path import LEAST_STATES

    with damage_named(run):
        states = RunDirectory(at_best(run)).every_state
    return states if len(states) >= LEAST_STATES else {}


for method_name, (_, what_it_shows) in COMMANDS.items():
    app.command(method_name, cls=MethodCommand, help=what_it_shows)(visualize)


def _names(option: str, values: list[str] | None) -> tuple[str, ...]:
    """Return what an option lists with commas or by repeating; UsageError where that is nothing."""
    names = [part.strip() for value in values or [] for part in value.split(",") if part.strip()]
    if values and not names:
        raise UsageError(f"{option} {values[0]!r}: names nothing; leave it out for the default")
    return tuple(names)


def _numbers(names: tuple[str, ...]) -> tuple[int, ...]:
    for name in names:
        if not name.isdecimal():
            raise UsageError(f"--channel {name}: is no channel; use numbers from 0, e.g. 3,17")
    return tuple(map(int, names))
