"""``cnn-train data``: get, check and look at the images."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DataError, UsageError, counted
from .console import error, notice, print_json, progress, say, warn
from .data_cache import cache
from .loading import build_untrained_session, load_settings, make_data_access
from .options import DataDirOption, JsonOption, OfflineOption, SetOption, Split
from .present import check_picture

if TYPE_CHECKING:
    from ..data.dataset import DataAccess, DatasetConfig
    from ..data.image_set import ImageSet

app = typer.Typer(help="Get, check and look at the images.", no_args_is_help=True)
app.command()(cache)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="YAML config whose dataset is meant. Default: CIFAR-10."),
]
SplitOption = Annotated[
    Split, typer.Option("--split", help="train, val (the held-out part) or test.")
]


@app.command()
def get(
    data_dir: DataDirOption = None, offline: OfflineOption = False, as_json: JsonOption = False
) -> None:
    """Download and verify CIFAR-10 (163 MiB); says where it lies. Done already: checks it."""
    from ..data.cifar10.dataset import get_archive

    path = get_archive(make_data_access(data_dir, offline))
    if as_json:
        print_json({"path": str(path), "num_bytes": path.stat().st_size, "verified": True})
    else:
        say(f"{path}: verified")


@app.command()
def verify(
    config: ConfigOption = None,
    overrides: SetOption = None,
    near: Annotated[
        int | None,
        typer.Option(
            "--near",
            metavar="BITS",
            min=0,
            max=32,
            help="Find similar images too: their dHashes differ in at most so many of 64 bits.",
        ),
    ] = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every image again, past the caches, name those that are there twice; exit 3: damage."""
    from ..data.verify import verify_dataset

    dataset = _dataset(config, overrides)
    reports, twins = verify_dataset(dataset, make_data_access(data_dir), near)
    damaged = [report for report in reports if report.problem]
    if as_json:
        document = {"ok": not damaged, "splits": [asdict(report) for report in reports]}
        print_json(document | {"duplicates": [asdict(some) for some in twins]})
    for report in reports:
        if report.problem:
            error(f"{report.split}: {report.problem}")
        elif not as_json:
            say(f"{report.split}: {counted(report.num_images, 'image')}, ok")
    for some in twins:
        warn(str(some))
    if damaged:
        raise typer.Exit(DataError.exit_code)


@app.command()
def show(
    config: ConfigOption = None,
    overrides: SetOption = None,
    split: SplitOption = "train",
    per_class: Annotated[
        int, typer.Option("--per-class", min=1, max=100, help="Images in each class's row.")
    ] = 10,
    augmented: Annotated[
        bool,
        typer.Option(
            "--augmented",
            help="One image of each class, then as each of the first epochs would train on it.",
        ),
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="The picture to write: .png or .svg.")] = Path(
        "contact-sheet.png"
    ),
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
) -> None:
    """Draw a contact sheet: the first images of every class, one row each."""
    from ..figures.contact_sheet import draw_contact_sheet
    from ..figures.fonts import say_missing
    from ..figures.saving import save_figure

    check_picture(out, may_be_page=False)
    access = make_data_access(data_dir, offline)
    if augmented:
        images, title, captions = _see_training(config, overrides, split, per_class, access)
    else:
        dataset, captions = _dataset(config, overrides), []
        images = _load(dataset, split, access)
        title = f"{dataset.name}, {split}: {counted(len(images), 'image')}"
    sheet = draw_contact_sheet(images, per_class=per_class, title=title, captions=captions)
    say_missing(save_figure(sheet, out), notice)
    say(out)


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="The folder to write <class>/*.png into.")],
    config: ConfigOption = None,
    overrides: SetOption = None,
    split: SplitOption = "train",
    per_class: Annotated[
        int | None, typer.Option("--per-class", min=1, help="Images of each class; default: all.")
    ] = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
) -> None:
    """Write a split's images as PNG files, one folder per class, as the folder dataset reads."""
    from ..data.images.export import export_images

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"--out {out}: is not empty; name a new folder, so that no splits mix")
    access = make_data_access(data_dir, offline)
    images = _load(_dataset(config, overrides), split, access)
    written = export_images(images, out, per_class=per_class, progress=progress)
    say(f"{out}: {counted(len(written), 'image')}")


def _dataset(config: Path | None, overrides: list[str] | None) -> "DatasetConfig":
    """Take the dataset from a config file and its overrides, or from the overrides alone."""
    text = "{}" if config is None else None
    return load_settings(config or "(defaults)", overrides, text).data


def _load(dataset: "DatasetConfig", split: Split, access: "DataAccess") -> "ImageSet":
    from ..data.splits import load_training_splits

    train, val = load_training_splits(dataset, access)
    if split == "test":
        return dataset.as_read(train).load_test(access, train.class_names)
    return train if split == "train" else val


def _see_training(
    config: Path | None,
    overrides: list[str] | None,
    split: Split,
    per_class: int,
    access: "DataAccess",
) -> "tuple[ImageSet, str, list[str]]":
    """Return an image of each class and its views in the first epochs, a title and captions."""
    from ..data.training_views import first_views

    if split != "train":
        raise UsageError(f"--split {split}: only training images are augmented; leave it out")
    if per_class < 2:
        raise UsageError("--per-class 1: this leaves no place for an epoch; take 2 or more")
    text = "{}" if config is None else None
    session = build_untrained_session(
        config or "(defaults)", overrides, "cpu", access.data_dir, access.offline, text
    )
    num_epochs = min(per_class - 1, session.config.epochs)
    images, captions = first_views(session.batches, num_epochs)
    epochs = "epoch 1 trains" if num_epochs == 1 else f"epochs 1 to {num_epochs} train"
    title = f"{session.config.data.name}: an image, then as {epochs} on it"
    return images, title, captions if any(captions) else []
