"""What the commands with a page of their own share: their options, and serving until Ctrl-C."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from .console import notice, say, stdout

if TYPE_CHECKING:
    from ..web.server import LocalServer

PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="Port of the page; 0: any free one.")
]
NoBrowserOption = Annotated[
    bool, typer.Option("--no-browser", help="Only print the page's address.")
]


def serve_page(server: "LocalServer", fragment: str, *, open_browser: bool) -> None:
    """Print the page's address, open it, and serve until Ctrl-C, the ordinary end."""
    url = f"{server.url}#{fragment}"
    say(url)
    stdout.file.flush()
    notice("This page works on this machine only, while this program runs. Ctrl-C stops it.")
    if open_browser and _has_screen():
        import webbrowser

        if not webbrowser.open(url):
            notice("No browser could be opened; open the address above in one.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        notice("stopped")
        raise typer.Exit(130) from None


def _has_screen() -> bool:
    """Say whether a browser has a screen; without one, Python would open it in the terminal."""
    unlike_linux = sys.platform in ("darwin", "win32")
    return unlike_linux or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
