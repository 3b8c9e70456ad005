"""Published weights of torchvision: downloaded once, verified each time before they are used.

They lie in torch's own cache (``$TORCH_HOME``, by default ~/.cache/torch), where every program that
uses torchvision finds them. Their names end in the first digits of their SHA-256.
"""

import socket
import sys
from collections.abc import Callable
from http.client import HTTPException
from os.path import exists  # it never raises
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
    if not exists(path):  # noqa: PTH110
        by_hand = f"get {url} on a machine with a network and put it at {path}"
        if offline:
            raise CheckpointError(
                f"{path}: is not there, and --offline forbids to download it: {by_hand}"
            )
        notice(f"Downloading {url} to {path.parent} …")
        _download(url, path, digits, by_hand)
    try:
        found = hash_file(path)
    except OSError as problem:
        raise CheckpointError(f"{path}: cannot read ({problem.strerror})") from None
    if not found.startswith(digits):
        raise CheckpointError(
            f"{path}: damaged, or not torchvision's file: its SHA-256 does not begin with {digits}"
            "; delete it, and it is downloaded again"
        )
    return path


def _download(url: str, path: Path, digits: str, by_hand: str) -> None:
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)  # torch's download names no time itself
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        bar = sys.stderr is not None and sys.stderr.isatty()
        torch.hub.download_url_to_file(url, str(path), digits, progress=bar)
    except (OSError, HTTPException, RuntimeError) as problem:
        if describe_shortage(problem):
            raise
        if not isinstance(problem, URLError) and getattr(problem, "filename", None):
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
            f"cannot download {path.name} from {urlsplit(url).hostname}: {reason}. Check the "
            f"network and try again, or {by_hand}"
        ) from problem
    finally:
        socket.setdefaulttimeout(patience)
