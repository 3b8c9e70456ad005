"""``cnn-train playground``: a very simple network learns, live in a local page or without one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import notice, print_json
from .local_page import NoBrowserOption, PortOption, serve_page
from .options import JsonOption
from .present import check_picture

if TYPE_CHECKING:
    from ..playground.settings import PlaygroundSettings

EPOCHS = 200

WITH_OLDER_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Every setting had a flag of its own once, as --learning-rate; they go on working."""


def playground(
    context: typer.Context,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="NAME", help="circle, xor, gauss or spiral.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One setting, e.g. hidden=8,8; repeatable, later wins.",
        ),
    ] = None,
    port: PortOption = 0,
    no_browser: NoBrowserOption = False,
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

    Settings: dataset, points, noise, train_fraction, learning_rate, momentum,
    strength, batch_size, seed; hidden (8,8 is two layers of 8 neurons);
    features (x1, x2, x1x1, x2x2, x1x2, sin_x1, sin_x2);
    activation (tanh, relu, sigmoid, linear); loss (cross_entropy, hinge);
    regularization (none, l1, l2).
    What is not set suits the dataset; --headless --json prints it.
    """
    from ..playground.settings import read_overrides

    if not headless and (as_json or out or epochs):
        raise UsageError("--json, --out and --epochs belong to --headless; add it")
    if headless and (port or no_browser):
        raise UsageError("--port and --no-browser belong to the page; leave out --headless")
    chosen = [] if dataset is None else [f"dataset={dataset}"]
    settings = read_overrides([*chosen, *(overrides or []), *_older_flags(context.args)])
    if headless:
        _train(settings, epochs or EPOCHS, as_json=as_json, out=out)
    else:
        _serve(settings, port, open_browser=not no_browser)


def _older_flags(words: Sequence[str]) -> list[str]:
    """Read ``--learning-rate 0.1``, as older versions had it, as ``learning_rate=0.1``."""
    from ..playground.settings import PlaygroundSettings

    overrides, rest = [], iter(words)
    for word in rest:
        flag, is_whole, value = word.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if flag == name or name not in PlaygroundSettings.model_fields:
            raise UsageError(f"playground has no option {flag}; see cnn-train playground --help")
        overrides.append(f"{name}={value if is_whole else next(rest, '')}")
    return overrides


def _train(settings: "PlaygroundSettings", epochs: int, *, as_json: bool, out: Path | None) -> None:
    from ..playground.headless import run_headless
    from .display.playground import draw_run, show_run

    check_picture(out, may_be_page=False)
    run = run_headless(settings, epochs)
    if as_json:
        print_json(run.to_json())
    else:
        show_run(run)
    if out is not None:
        draw_run(run, out)
        notice(f"wrote {out}")


def _serve(settings: "PlaygroundSettings", port: int, *, open_browser: bool) -> None:
    from ..playground.server import PlaygroundServer
    from ..playground.settings import write_address

    with PlaygroundServer(port) as server:
        serve_page(server, write_address(settings), open_browser=open_browser)
