"""Keep the memory that a minibatch frees for the next one, instead of giving it back each time.

By default glibc hands every large block back to the kernel when it is freed. A training step frees
all its activations, so the next one gets only new pages, each of which the kernel must first map
and clear: about a third of the time of a CPU step. With another allocator than glibc's (macOS,
musl, a preloaded jemalloc or tcmalloc) nothing is done.
"""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3), from glibc's <malloc.h>.
M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3
M_MMAP_MAX = -4

MIB = 2**20
KEEP = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, 64 * MIB))

# The values that glibc's own, growing thresholds reach in a training process.
GIVE_BACK = (
    (M_MMAP_MAX, 65536),
    (M_MMAP_THRESHOLD, 32 * MIB),
    (M_TRIM_THRESHOLD, 64 * MIB),
    (M_TOP_PAD, MIB // 8),
)


@contextmanager
def kept_memory() -> Iterator[None]:
    """Reuse freed memory whatever its size while the block runs; give it back afterwards.

    No block of memory gets a mapping of its own, and the heap's free end is not given back: the
    process holds at least the largest amount that it used at once.
    """
    _set(KEEP)
    try:
        yield
    finally:
        give_back_freed_memory()


def give_back_freed_memory() -> None:
    """Free what is kept, and return to about glibc's own behaviour."""
    if _set(GIVE_BACK):
        ctypes.CDLL(None).malloc_trim(0)


def _set(settings: tuple[tuple[int, int], ...]) -> bool:
    """Pass the settings to glibc and say whether it accepted them; elsewhere do nothing."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    accepted = [mallopt(name, value) == 1 for name, value in settings]
    return all(accepted)
