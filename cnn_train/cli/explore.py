"""``cnn-train explore``: a user's own network from inside, live in a local page."""

from pathlib import Path
from typing import Annotated

import typer

from .completion import complete_runs
from .console import warn
from .loading import make_data_access, open_model
from .local_page import NoBrowserOption, PortOption, serve_page
from .options import DataDirOption, DataRootOption, DeviceOption, OfflineOption


def explore(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A run directory, a checkpoint, or pretrained:NAME.",
            autocompletion=complete_runs,
        ),
    ],
    image: Annotated[
        Path | None,
        typer.Option("--image", help="Image file to begin with. Default: a validation image."),
    ] = None,
    port: PortOption = 0,
    no_browser: NoBrowserOption = False,
    data_root: DataRootOption = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Look at your own network from inside: every map, every sum, what speaks for a class.

    The page shows validation images and your own files, and of a run how all that came to be,
    checkpoint by checkpoint. The test images are never opened.
    """
    from ..explore.opening import open_explorer
    from ..explore.server import ExploreServer
    from ..runs.directory import find_checkpoint

    path = find_checkpoint(checkpoint)
    trained = open_model(path, device, exact=True, layers_for="explore")
    access = make_data_access(data_dir, offline)
    explorer = open_explorer(checkpoint, path, trained, access, data_root, image)
    if explorer.why_no_images:
        warn(f"no validation images: {explorer.why_no_images}")
    with ExploreServer(explorer, port) as server:
        serve_page(server, "", open_browser=not no_browser)
