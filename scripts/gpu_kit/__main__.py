"""``scripts/gpu``: choose the steps, run what fits into the budget, keep what they find."""

import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from part_program import run_program

from cnn_train.cli.console import stderr
from cnn_train.errors import DataError, UsageError
from cnn_train.machine.device import resolve_device

from .campaign import run_steps
from .kit import REPOSITORY, Kit
from .results import JSON, PAGE, Results
from .steps import CALLS, choose_steps


def gpu(
    steps: Annotated[
        str,
        typer.Option(
            "--steps", metavar="NAME,…", help=f"all, {', '.join(CALLS)}, or single steps."
        ),
    ] = "first",
    out: Annotated[
        Path, typer.Option("--out", help="Folder for gpu.json, gpu.md, gpu.log and weights.")
    ] = Path("gpu"),
    budget: Annotated[
        float, typer.Option("--budget", min=1, help="Seconds for all steps together.")
    ] = 420,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each speedrun.")] = 10,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", help="Folder or tar archive: train/<class>/<image> and test alike."
        ),
    ] = None,
    peers: Annotated[
        Path | None,
        typer.Option("--peers", help="Folder with the scripts of other programs to race with."),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cuda or cuda:N.")] = "cuda",
    toy: Annotated[
        bool, typer.Option("--toy", help="Every step at toy size on the CPU: tries the kit itself.")
    ] = False,
    publish: Annotated[
        list[Path] | None,
        typer.Option(
            "--publish",
            metavar="JSON",
            help="Run nothing: write this gpu.json (repeatable) into docs/performance.md and the "
            "headers of configs/.",
        ),
    ] = None,
) -> None:
    """Prove, measure and record what needs a GPU; exit code 1 where a step fails or misses."""
    if publish:
        from .publish import publish_figures

        for path in publish_figures(publish, REPOSITORY):
            stderr.print(f"wrote {path}")
        return
    started = time.monotonic()
    chosen = choose_steps(steps, toy=toy)
    device = str(resolve_device("cpu" if toy else device).torch_device)
    out.mkdir(parents=True, exist_ok=True)
    if (out / JSON).exists():
        raise UsageError(f"--out {out} holds results already; choose another folder")
    with tempfile.TemporaryDirectory(prefix="cnn-train-gpu-") as scratch:
        kit = Kit(
            device=device, toy=toy, seeds=seeds,
            images=images and find_images(images, Path(scratch)),
            peers=Path(__file__).parent if toy else peers and peers.resolve(),
            out=out.resolve(), scratch=Path(scratch),
            deadline=0.0,
        )  # fmt: skip
        settings = {
            "device": device, "toy": toy, "seeds": seeds, "budget": f"{budget:g} s",
            "images": images.name if images else "drawn", "torch": version("torch"),
            "processor": "a CPU" if toy else ask_driver(),
        }  # fmt: skip
        results = Results(kit.out, settings)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends all as Ctrl-C does
        run_steps(kit, chosen, budget - (time.monotonic() - started), results)
    stderr.print(f"results: {out / PAGE}")
    raise typer.Exit(int(any(step.went_wrong for step in results.steps)))


def ask_driver() -> str:
    """Return the GPU's name, driver and power limit, as nvidia-smi tells them."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,power.limit", "--format=csv,noheader"]
    if not shutil.which(query[0]):
        return "unknown"
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()


def find_images(place: Path, scratch: Path) -> Path:
    """Return the folder that holds ``train``, of a folder or of an archive, which is unpacked."""
    if place.is_file():
        with tarfile.open(place) as archive:
            archive.extractall(scratch / "images", filter="data")
        place = scratch / "images"
    for folder in (place, *sorted(place.glob("*"))):
        if (folder / "train").is_dir():
            return folder.resolve()
    raise DataError(f"--images {place}: there is no folder train in it")


if __name__ == "__main__":
    run_program(gpu)
