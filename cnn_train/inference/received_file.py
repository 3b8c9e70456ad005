"""An image that was received as bytes, as a file for as long as it is read."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import ResourceError

SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,9}$")


@contextmanager
def received_file(name: str, content: bytes) -> Iterator[Path]:
    """Keep a file, whose name ends as ``name`` does, while the block runs.

    Raises ResourceError where the disk refuses.
    """
    suffix = SUFFIX.search(name)
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder, f"image{suffix[0] if suffix else ''}")
            path.write_bytes(content)
            yield path
    except OSError as problem:
        raise ResourceError(f"the server cannot keep the image: {problem.strerror}") from None
