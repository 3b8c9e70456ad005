"""Decode image files in a process of its own, as :mod:`.processes` asks it to.

It imports neither torch nor the program that started it, so that it is ready in a moment. It ends
when its input does: however its parent ended, it is not left behind.

A request is a line of JSON, the files' paths. The answer is their pixels, C × H × W and zero where
a file is no image, and a line of JSON: the remarks about them.
"""

import json
import os
import sys
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from ...errors import DataError, ResourceError
from ..images.files import load_image, resize_and_crop
from ..images.quiet_pillow import quiet_pillow

GREETING = b"ready to decode\n"
PIPE_BYTES = 2**18  # a request for small images is answered in one piece: each piece wakes a thread
PARENT = os.getppid()
SLOW_SECONDS = 1.0  # an image that takes longer is sent at once: the parent must see that we live
FAILURES, NOTICES, RESOURCES = "failures", "notices", "resources"


def serve(requests: BinaryIO, answers: BinaryIO, size_px: int) -> None:
    """Answer every request for images of ``size_px`` × ``size_px`` until there are no more."""
    answers.write(GREETING)
    answers.flush()
    with quiet_pillow:
        for line in requests:
            _answer([Path(name) for name in json.loads(line)], answers, size_px)
            answers.flush()


def _answer(paths: list[Path], answers: BinaryIO, size_px: int) -> None:
    remarks: dict[str, list[str]] = {FAILURES: [], NOTICES: [], RESOURCES: []}
    for path in paths:
        if os.getppid() != PARENT:
            os._exit(1)  # killed; a request of photographs would go on for seconds
        start = monotonic()
        answers.write(_decode(path, size_px, remarks))
        if monotonic() - start > SLOW_SECONDS:
            answers.flush()
    answers.write(json.dumps(remarks).encode() + b"\n")


def _decode(path: Path, size_px: int, remarks: dict[str, list[str]]) -> bytes:
    """Return one file's pixels; say in ``remarks`` what is wrong with it or unusual about it."""
    try:
        image = load_image(path)
        remarks[NOTICES].extend(f"{path}: {notice}" for notice in image.notices)
        return resize_and_crop(image.pixels_HWC, size_px).transpose(2, 0, 1).tobytes()
    except DataError as problem:
        remarks[FAILURES].append(str(problem))
    except ResourceError as problem:
        remarks[RESOURCES].append(str(problem))
    return bytes(3 * size_px**2)


if __name__ == "__main__":
    try:
        with os.fdopen(sys.stdout.fileno(), "wb", PIPE_BYTES, closefd=False) as answers:
            serve(sys.stdin.buffer, answers, int(sys.argv[1]))
    except BrokenPipeError:
        os._exit(1)  # the parent is gone; nobody is left to read what lies in the buffer
