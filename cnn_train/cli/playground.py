"""``cnn-train playground``: a very simple network learns, live in a local page or without one."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from .options import JsonOption

if TYPE_CHECKING:
    from ..playground.settings import PlaygroundSettings

EPOCHS = 200


def playground(
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="circle (the default), xor, gauss or spiral.")
    ] = None,
    points: Annotated[
        int | None,
        typer.Option("--points", help="Training and test points together. Default: 500."),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(
            "--noise", help="Standard deviation of each coordinate's noise. Default: 0.1."
        ),
    ] = None,
    train_fraction: Annotated[
        float | None,
        typer.Option("--train-fraction", help="Share of points to train on. Default: 0.5."),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            "--features",
            help="Some of x1, x2, x1x1, x2x2, x1x2, sin_x1, sin_x2, with commas. Default: x1,x2.",
        ),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(
            "--hidden", help="Neurons of each hidden layer: 8,8; '' is a linear model. Default: 4."
        ),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option("--activation", help="tanh (the default), relu, sigmoid or linear."),
    ] = None,
    loss: Annotated[
        str | None, typer.Option("--loss", help="cross_entropy (the default) or hinge.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="η, the step size. Default: 0.1.")
    ] = None,
    momentum: Annotated[
        float | None,
        typer.Option("--momentum", help="μ; 0, the default, is the plain rule w ← w − η g."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", help="Points per update. Default: 10.")
    ] = None,
    regularization: Annotated[
        str | None, typer.Option("--regularization", help="none (the default), l1 or l2.")
    ] = None,
    strength: Annotated[
        float | None, typer.Option("--strength", help="λ of the regularization. Default: 0.001.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Decides points, first weights and order. Default: 0."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of the page; 0: any free one.")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the page's address.")
    ] = False,
    headless: Annotated[
        bool, typer.Option("--headless", help="Train without a page, and show what came out.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help=f"With --headless: epochs. Default: {EPOCHS}."),
    ] = None,
    as_json: JsonOption = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --headless: the picture to write, .png or .svg."),
    ] = None,
) -> None:
    """Watch a very simple network learn: its surface, its neurons, its learning rule, live.

    What is not given suits the toy set: for gauss and spiral, some defaults are others than below.
    """
    given = {
        "dataset": dataset, "points": points, "noise": noise, "train_fraction": train_fraction,
        "features": features, "hidden": hidden, "activation": activation, "loss": loss,
        "learning_rate": learning_rate, "momentum": momentum, "batch_size": batch_size,
        "regularization": regularization, "strength": strength, "seed": seed,
    }  # fmt: skip
    if not headless and (as_json or out or epochs):
        raise UsageError("--json, --out and --epochs belong to --headless; add it")
    if headless and (port or no_browser):
        raise UsageError("--port and --no-browser belong to the page; leave out --headless")
    settings = _settings(given)
    if headless:
        _train(settings, epochs or EPOCHS, as_json=as_json, out=out)
    else:
        _serve(settings, port, open_browser=not no_browser)


def _settings(given: Mapping[str, Any]) -> "PlaygroundSettings":
    """Check what the options say; lists are read as an address writes them."""
    from ..playground.settings import read_text, resolve_settings

    said = {name: value for name, value in given.items() if value is not None}
    for name in {"features", "hidden"} & said.keys():
        said[name] = read_text(name, said[name])
    return resolve_settings(said, "playground")


def _train(settings: "PlaygroundSettings", epochs: int, *, as_json: bool, out: Path | None) -> None:
    from ..figures.saving import check_figure_path
    from ..playground.headless import run_headless
    from .console import notice, print_json
    from .display.playground import draw_run, show_run

    if out is not None:
        check_figure_path(out)
    run = run_headless(settings, epochs)
    if as_json:
        print_json(run.to_json())
    else:
        show_run(run)
    if out is not None:
        draw_run(run, out)
        notice(f"wrote {out}")


def _serve(settings: "PlaygroundSettings", port: int, *, open_browser: bool) -> None:
    """Serve pages until Ctrl-C, the ordinary end."""
    from ..playground.server import PlaygroundServer
    from ..playground.settings import write_address
    from .console import notice, stdout

    with PlaygroundServer(port) as server:
        url = f"{server.url}#{write_address(settings)}"
        stdout.print(url, markup=False, soft_wrap=True)
        stdout.file.flush()
        notice("This page works on this machine only, while this program runs. Ctrl-C stops it.")
        if open_browser and _has_screen():
            _open(url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            notice("stopped")
            raise typer.Exit(130) from None


def _has_screen() -> bool:
    """Say whether a browser has a screen; without one, Python would open it in the terminal."""
    unlike_linux = sys.platform in ("darwin", "win32")
    return unlike_linux or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _open(url: str) -> None:
    import webbrowser

    from .console import notice

    if not webbrowser.open(url):
        notice("No browser could be opened; open the address above in one.")
