"""Hide Pillow's warnings while images are decoded, in any number of threads at once."""

import threading
import warnings
from types import TracebackType


class _QuietPillow:
    """A re-entrant context: the first thread in hides the warnings, the last one out undoes it.

    ``warnings.catch_warnings`` alone would leave its filters behind where threads overlap.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._num_inside == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._num_inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._num_inside -= 1
            if self._num_inside == 0:
                self._saved.__exit__(kind, problem, traceback)


quiet_pillow = _QuietPillow()
