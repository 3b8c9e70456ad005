"""``cnn-train serve``: what a trained model says about images that are sent to it."""

from typing import Annotated

import typer

from ..machine.optional_library import require_libraries
from .console import notice, say, stdout, warn
from .loading import open_model
from .options import CheckpointArgument, DeviceOption

HERE = ("127.0.0.1", "::1", "localhost")


def serve(
    checkpoint: CheckpointArgument,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; another than this machine's warns.")
    ] = HERE[0],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0: any free one, which is printed.")
    ] = 8000,
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Classes per image.")] = 5,
    max_mb: Annotated[
        int, typer.Option("--max-mb", min=1, help="Largest request; larger ones are refused.")
    ] = 10,
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, help="Images under way; more are refused (503).")
    ] = 8,
    per_second: Annotated[
        int, typer.Option("--per-second", min=1, help="Images a second; more are refused (429).")
    ] = 20,
    device: DeviceOption = "auto",
) -> None:
    """Answer over HTTP: an image is posted, its classes come back as ``predict --json`` has them.

    POST /predict takes an image or a form with one; GET / says how, with the classes and limits.
    """
    require_libraries("serve", "starlette", "uvicorn", "python_multipart", extra="serve")
    from ..inference.serving import Limits, PredictionService, listen, run_server
    from ..runs.directory import find_checkpoint

    trained = open_model(find_checkpoint(checkpoint), device)
    service = PredictionService(trained, Limits(max_mb, at_once, per_second), top_k)
    with listen(host, port) as listener:
        if host not in HERE:
            warn(f"--host {host}: whoever reaches this machine can ask; no login, no encryption")
        named = f"[{host}]" if ":" in host else host
        say(f"http://{named}:{listener.getsockname()[1]}/")
        stdout.file.flush()
        notice("POST images to /predict; the address itself says how. Ctrl-C stops it.")
        try:
            run_server(service.app(), listener)
        except KeyboardInterrupt:
            notice("stopped")
            raise typer.Exit(130) from None
