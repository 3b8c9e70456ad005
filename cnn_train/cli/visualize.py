"""``cnn-train visualize``: what a trained network looks at."""

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..errors import UsageError
from .options import DataDirOption, DeviceOption, JsonOption, OfflineOption

if TYPE_CHECKING:
    from ..data.dataset import DataAccess
    from ..evaluation.evaluate import SplitName
    from ..inference.trained_model import TrainedModel
    from ..visualize.methods import Method
    from ..visualize.request import Subjects


class MethodName(StrEnum):
    """The kinds of pictures."""

    filters = "filters"
    maps = "maps"
    top_patches = "top-patches"
    guided = "guided"
    deconv = "deconv"
    saliency = "saliency"
    cam = "cam"
    occlusion = "occlusion"
    embedding = "embedding"
    loss_surface = "loss-surface"


class Projection(StrEnum):
    """How many features become two."""

    pca = "pca"
    tsne = "tsne"


class TrainingSplit(StrEnum):
    """The images that pictures are made of; the test images stay closed."""

    train = "train"
    val = "val"


def visualize(
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="A checkpoint, or a run directory for its best."),
    ],
    method: Annotated[MethodName, typer.Option("--method", "-m", help="What to look at.")],
    layer: Annotated[
        list[str] | None,
        typer.Option("--layer", help="Layers as `models show` names them, e.g. conv1_1,conv3_2."),
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            "--channel",
            help="Channels, e.g. 3,17. Default: the strongest; of patches, unlike ones first.",
        ),
    ] = None,
    num_channels: Annotated[
        int | None, typer.Option("--num-channels", min=1, help="How many of them by default.")
    ] = None,
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", help="Image file; repeatable. Default: images of the split."),
    ] = None,
    split: Annotated[
        TrainingSplit | None,
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
    window: Annotated[
        int | None,
        typer.Option(
            "--window", min=1, help="occlusion: side of the cover in px. Default: a quarter."
        ),
    ] = None,
    projection: Annotated[
        Projection | None,
        typer.Option("--projection", help="embedding: pca (the default), or tsne (scikit-learn)."),
    ] = None,
    signals_only: Annotated[
        bool, typer.Option("--signals-only", help="guided, deconv: draw no patches beside them.")
    ] = False,
    reach: Annotated[
        float | None,
        typer.Option(
            "--reach", help="loss-surface: how far, in lengths of each filter. Default: 1."
        ),
    ] = None,
    num_points: Annotated[
        int | None,
        typer.Option(
            "--num-points", min=3, help="loss-surface: points per side, odd. Default: 21."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="loss-surface: of the two directions. Default: 0."),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="Where the dataset's own images lie, if they moved."),
    ] = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Draw into a .png or .svg.")
    ] = None,
) -> None:
    """Look inside: filters, maps, strongest patches, what speaks for a class, a map, the loss."""
    from dataclasses import replace

    from ..inference.trained_model import load_trained_model
    from ..runs.directory import find_checkpoint
    from ..visualize.methods import METHODS
    from ..visualize.request import Request, Subjects
    from .console import notice, progress
    from .data_access import make_data_access
    from .present import check_picture, present

    check_picture(out)
    chosen = METHODS[method.value]
    given = {
        "--layer": layer,
        "--channel": channel,
        "--num-channels": num_channels,
        "--image": image,
        "--split": split,
        "--num-images": num_images,
        "--class": label,
        "--window": window,
        "--projection": projection,
        "--signals-only": signals_only or None,
        "--reach": reach,
        "--num-points": num_points,
        "--seed": seed,
        "--data-root": data_root,
    }
    _refuse_unread(method.value, chosen, {name for name, one in given.items() if one is not None})
    surface = _surface_choices(reach, num_points, seed)
    layers = _names("--layer", layer)
    channels = _numbers(_names("--channel", channel))
    path = find_checkpoint(checkpoint)
    trained = load_trained_model(path, device)
    where = trained.device
    precision = trained.precision.name if chosen.scores_as_evaluate else "float32"
    notice(f"{path} on {where.torch_device} ({where.reason}), {precision}")
    source: Literal["train", "val"] = "val" if split is None else split.value
    if image:
        subjects = Subjects.load(image, trained.image_shape)
    else:
        access = make_data_access(data_dir, offline)
        subjects = _load_split(chosen, trained, source, num_images, access, data_root)
    request = Request(
        trained,
        subjects,
        layers=layers,
        channels=channels,
        num_channels=num_channels,
        label=label,
        window_px=window,
        projection=(projection or Projection.pca).value,
        signals_only=signals_only,
        split=source,
        progress=progress,
        **surface,
    )
    page = chosen.show(request)
    present(
        replace(page, document={"checkpoint": str(path), "method": method.value} | page.document),
        as_json=as_json,
        out=out,
    )
    if out is None and not as_json:
        notice("to look at it, add --out FILE.png")


def _refuse_unread(name: str, method: "Method", given: set[str]) -> None:
    """Raise UsageError for an option that would change nothing."""
    from ..visualize.methods import SPLIT

    for option in sorted(given - method.options):
        raise UsageError(f"{option}: --method {name} does not read it; leave it out")
    if "--image" in given:
        for option in sorted(given & SPLIT):
            raise UsageError(f"{option}: the images are those of --image; leave it out")


def _surface_choices(
    reach: float | None, num_points: int | None, seed: int | None
) -> dict[str, Any]:
    """Return what was chosen for a loss surface."""
    if reach is not None and not 0 < reach < math.inf:
        raise UsageError(f"--reach {reach:g}: is no distance; take a number above 0, e.g. 0.5")
    if num_points is not None and num_points % 2 == 0:
        raise UsageError(f"--num-points {num_points}: is even; take one more: the middle is θ")
    given = {"reach": reach, "num_points": num_points, "seed": seed}
    return {name: value for name, value in given.items() if value is not None}


def _load_split(
    method: "Method",
    trained: "TrainedModel",
    split: "SplitName",
    num_images: int | None,
    access: "DataAccess",
    data_root: Path | None,
) -> "Subjects":
    """Take images evenly from all over the split; the methods that need none open no data."""
    from ..evaluation.evaluate import load_split
    from ..visualize.request import Subjects

    wanted = num_images or method.num_images
    if method.num_images == 0:
        return Subjects.none(trained.image_shape)
    return Subjects.of(load_split(trained, split, access, data_root), wanted)


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
