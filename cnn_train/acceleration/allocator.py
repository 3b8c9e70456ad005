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
M_MMAP_MAX = -4

TOP_PAD_BYTES = 64 * 2**20  # how much more than needed the heap asks for when it grows


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed memory whatever its size; say whether it agreed.

    No block gets a mapping of its own, and the heap's free end is never given back. The process
    then holds the largest amount that it ever used.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, -1), (M_TOP_PAD, TOP_PAD_BYTES))
    agreed = [mallopt(name, value) == 1 for name, value in settings]
    return all(agreed)
