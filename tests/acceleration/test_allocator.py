import ctypes
import platform
import subprocess
import sys
from functools import cache

import pytest

from cnn_train.acceleration import allocator

# Frees and takes 64 MiB again and again. Prints how many pages the kernel had to map anew in the
# second half, when a heap that is kept has found its size, and the resident MiB before and after
# the end of the block.
USE_MEMORY = """
import resource, sys, torch
from contextlib import nullcontext
from pathlib import Path
from cnn_train.acceleration.allocator import kept_memory
def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 2**20
with kept_memory() if sys.argv[1] == "kept" else nullcontext():
    for _ in range(20):
        torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(2**24)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    inside = resident_mib()
print(faults, inside, resident_mib())
"""

only_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back"
)


@cache
def use_memory(mode: str) -> tuple[int, int, int]:
    """Return page faults, and the resident MiB at the end of the block and after it."""
    command = [sys.executable, "-c", USE_MEMORY, mode]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return tuple(map(int, output.split()))


@pytest.mark.slow
@only_glibc
def test_freed_memory_is_used_again_without_new_pages_as_long_as_the_block_runs() -> None:
    anew = 20 * 2**12
    assert use_memory("kept")[0] < 1000 < anew <= use_memory("as it is")[0]


@only_glibc
def test_what_was_kept_is_given_back_at_the_end_of_the_block() -> None:
    _, inside_mib, afterwards_mib = use_memory("kept")
    assert inside_mib - afterwards_mib >= 64


def test_where_glibc_is_not_the_allocator_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", None)
    with allocator.kept_memory():
        pass
