"""``scripts/gpu_bundle``: one folder with what a machine without network lacks, and how to start.

That machine is taken to have torch with what torch brings; every other library of this project
travels as a wheel, in the version of constraints.txt.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from part_program import run_program

from cnn_train.cli.console import stderr, stdout
from cnn_train.errors import DataError, UsageError

from .commands import last_line
from .kit import REPOSITORY
from .peers import PEER_SCRIPTS, find_script

PRESENT = {
    "torch", "torchvision", "numpy", "sympy", "mpmath", "jinja2", "markupsafe", "fsspec",
}  # fmt: skip
SITE = "/tmp/cnn-train-site"
GLIBC_MINORS = range(17, 36)
BUDGETS = {"first": 400, "second": 560, "third": 570}
"""Seconds for each call: the first two fit into a quarter of an hour, with a machine's start."""


def bundle(
    out: Annotated[Path, typer.Option("--out", help="Folder, ignored by git.")] = Path(".gpu"),
    images: Annotated[
        Path | None, typer.Option("--images", help="Archive with train/<class>/<image> and test.")
    ] = None,
    peers: Annotated[
        Path | None, typer.Option("--peers", help="Folder somewhere below which the peers lie.")
    ] = None,
    python: Annotated[str, typer.Option("--python", help="Python of that machine.")] = "3.12",
) -> None:
    """Gather what a GPU machine without network lacks; print what to run there."""
    if images and not images.is_file():
        raise DataError(f"--images {images}: is not an archive")
    new = out.with_name(f"{out.name}.new")  # what is there stays until the new one is whole
    shutil.rmtree(new, ignore_errors=True)
    for part in ("wheels", "peers"):
        (new / part).mkdir(parents=True)
    download_wheels(new / "wheels", python)
    options = f"--peers {out}/peers"
    if images:
        shutil.copyfile(images, new / images.name)
        options += f" --images {out}/{images.name}"
    missing = copy_peers(peers, new / "peers")
    if missing:
        stderr.print(f"not in the bundle, so not raced with: {', '.join(missing)}")
    shutil.rmtree(out, ignore_errors=True)
    new.rename(out)
    for piece in sorted(out.iterdir()):
        stderr.print(f"{piece}: {weigh(piece):.1f} MiB", soft_wrap=True)
    for call in BUDGETS:
        stdout.print(f"\n# the {call} call\n{command(out, call, options)}", soft_wrap=True)


def command(out: Path, call: str, options: str) -> str:
    """Return the line that installs the wheels beside that machine's torch and starts a call."""
    return (
        f"python3 -m pip install -q --no-index --no-deps --no-compile --upgrade --target {SITE} "
        f"{out}/wheels/*.whl && PYTHONPATH={SITE}:scripts:. python3 -m gpu_kit --steps {call} "
        f'--budget {BUDGETS[call]} {options} --out "${{OUT:-gpu-{call}}}"'
    )


def pinned_versions() -> list[str]:
    """Return the ``name==version`` lines of what has to travel: the first part of the file."""
    text = (REPOSITORY / "constraints.txt").read_text("utf-8")
    pins = text.partition("\n# Only for extras")[0].splitlines()[1:]
    return [pin for pin in pins if pin.partition("==")[0].lower() not in PRESENT]


def download_wheels(folder: Path, python: str) -> None:
    """Let pip get one wheel of each library for Linux on x86-64; raises DataError."""
    platforms = ["manylinux1", "manylinux2010", "manylinux2014"]
    platforms += [f"manylinux_2_{minor}" for minor in GLIBC_MINORS]
    asked = [word for name in platforms for word in ("--platform", f"{name}_x86_64")]
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary=:all:", "--implementation", "cp",
            "--python-version", python, *asked, "--dest", str(folder), *pinned_versions(),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DataError(f"pip download: {last_line(done)}")


def copy_peers(folder: Path | None, target: Path) -> list[str]:
    """Copy the peers' scripts that lie somewhere below ``folder``; return the names of others."""
    missing = []
    for name in PEER_SCRIPTS:
        try:
            shutil.copy(find_script(folder, name), target)
        except UsageError:
            missing.append(name)
    return missing


def weigh(place: Path) -> float:
    """Return the size of a file, or of all files in a folder, in MiB."""
    return sum(path.stat().st_size for path in (place, *place.rglob("*")) if path.is_file()) / 2**20


if __name__ == "__main__":
    run_program(bundle)
