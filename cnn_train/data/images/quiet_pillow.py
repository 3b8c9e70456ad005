"""Hide what Pillow says while images are decoded, in any number of threads at once."""

import ctypes
import logging
import threading
import warnings
from contextlib import suppress
from typing import Any

from PIL import _imaging


class _QuietPillow:
    """A re-entrant context: the first thread in hides the warnings, the last one out undoes it.

    ``warnings.catch_warnings`` alone would leave its filters behind where threads overlap.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._saved = warnings.catch_warnings()
        logging.getLogger("PIL").addHandler(logging.NullHandler())  # else it writes on stderr
        _silence_libtiff()

    def __enter__(self) -> None:
        with self._lock:
            if self._num_inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._num_inside += 1

    def __exit__(self, *problem: Any) -> None:
        with self._lock:
            self._num_inside -= 1
            if self._num_inside == 0:
                self._saved.__exit__(*problem)


def _silence_libtiff() -> None:
    """Keep libtiff from writing to file descriptor 2, past every Python stream.

    Pillow raises an error for what matters. Where libtiff cannot be reached, its messages stay.
    """
    with suppress(AttributeError, OSError):
        libtiff = ctypes.CDLL(_imaging.__file__)  # finds what that library is linked with
        libtiff.TIFFSetErrorHandler(None)
        libtiff.TIFFSetWarningHandler(None)


quiet_pillow = _QuietPillow()
