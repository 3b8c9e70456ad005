"""Keep the memory that a minibatch frees for the next one, instead of giving it back each time.

By default glibc hands every large block back to the kernel when it is freed. A training step frees
all its activations, so the next one meets nothing but fresh pages, each of which the kernel must
first map and clear: about a third of the time of a CPU step. Where glibc is not the allocator
(macOS, musl, a preloaded jemalloc or tcmalloc) there is nothing to do, and nothing is done.
"""

import ctypes
import platform

# Parameters of mallopt(3), from glibc's <malloc.h>.
M_TRIM_THRESHOLD = -1
M_TOP_PAD = -2
M_MMAP_THRESHOLD = -3
M_MMAP_MAX = -4

MIB = 2**20
KEEP = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, 64 * MIB))

# Where glibc's own thresholds, which grow with what is freed, end up in a training process.
GIVE_BACK = (
    (M_MMAP_MAX, 65536),
    (M_MMAP_THRESHOLD, 32 * MIB),
    (M_TRIM_THRESHOLD, 64 * MIB),
    (M_TOP_PAD, MIB // 8),
)


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed memory whatever its size; say whether it agreed.

    No block gets a mapping of its own, and the heap's free end is never given back. The process
    then holds the largest amount that it ever used.
    """
    return _set(KEEP)


def give_back_freed_memory() -> bool:
    """Undo :func:`keep_freed_memory`, as far as what comes next goes: to measure without it."""
    return _set(GIVE_BACK)


def _set(settings: tuple[tuple[int, int], ...]) -> bool:
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    agreed = [mallopt(name, value) == 1 for name, value in settings]
    return all(agreed)
