"""Published weights of torchvision: downloaded once, verified each time before they are used.

They lie in torch's own cache (``$TORCH_HOME``, by default ~/.cache/torch), where every program that
uses torchvision finds them. Their names end in the first digits of their SHA-256.
"""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

import torch

from ..data.download.remote_file import hash_file
from ..errors import CheckpointError, UsageError, describe_shortage, in_one_line

STALL_SECONDS = 30.0


def published_file(url: str, *, offline: bool, notice: Callable[[str], object]) -> Path:
    """Return the file of ``url`` in torch's cache, downloaded where it is not there.

    Raises CheckpointError where there is no intact file and none can be had, UsageError where the
    cache cannot be written.
    """
    name = Path(urlsplit(url).path).name
    path = Path(torch.hub.get_dir()).expanduser().absolute() / "checkpoints" / name
    digits = Path(name).stem.rpartition("-")[2]
    by_hand = f"get {url} on a machine with a network and put it at {path}"
    if not path.exists():
        if offline:
            raise CheckpointError(
                f"{path}: is not there, and --offline forbids to download it: {by_hand}"
            )
        notice(f"Downloading {url} to {path.parent} …")
        with _failures_explained(url, path, by_hand), _patience():
            path.parent.mkdir(parents=True, exist_ok=True)
            bar = sys.stderr is not None and sys.stderr.isatty()
            torch.hub.download_url_to_file(url, str(path), digits, progress=bar)
    if not (path.is_file() and hash_file(path).startswith(digits)):
        raise CheckpointError(
            f"{path}: damaged, or not torchvision's file: its SHA-256 does not begin with {digits}"
            "; delete it, and it is downloaded again"
        )
    return path


@contextmanager
def _failures_explained(url: str, path: Path, by_hand: str) -> Iterator[None]:
    host = urlsplit(url).hostname
    try:
        yield
    except (OSError, HTTPException, RuntimeError) as problem:
        if describe_shortage(problem):
            raise
        is_network = isinstance(problem, URLError) or not getattr(problem, "filename", None)
        if not is_network:
            raise UsageError(
                f"{path.parent}: cannot be written ({in_one_line(problem)}); name another folder "
                "by the variable TORCH_HOME"
            ) from problem
        if isinstance(problem, HTTPError):
            problem.close()
        reason = in_one_line(getattr(problem, "reason", problem))
        if isinstance(problem, RuntimeError):  # torch's: the hash is another one
            reason = f"it sent another file, or only a part of it ({reason})"
        raise CheckpointError(
            f"cannot download {path.name} from {host}: {reason}. Check the network and try again, "
            f"or {by_hand}"
        ) from problem


@contextmanager
def _patience() -> Iterator[None]:
    """Give up a connection that says nothing; torch's download names no time itself."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
