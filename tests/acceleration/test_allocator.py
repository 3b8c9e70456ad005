import ctypes
import platform
import subprocess
import sys

import pytest

from cnn_train.acceleration import allocator

# Frees and takes 64 MiB again and again; counts the pages that the kernel had to map anew in the
# second half, when a heap that is kept has found its size.
COUNT_PAGE_FAULTS = """
import resource, sys, torch
from contextlib import nullcontext
from cnn_train.acceleration.allocator import kept_memory
def count():
    for _ in range(20):
        torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
with kept_memory() if sys.argv[1] == "kept" else nullcontext():
    inside = count()
print(inside, count())
"""


def count_page_faults(mode: str) -> tuple[int, int]:
    """Return the faults while memory is kept, or not, and afterwards."""
    command = [sys.executable, "-c", COUNT_PAGE_FAULTS, mode]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    inside, afterwards = map(int, output.split())
    return inside, afterwards


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back")
def test_freed_memory_is_used_again_without_new_pages_as_long_as_the_block_runs() -> None:
    anew = 20 * 2**12
    inside, afterwards = count_page_faults("kept")
    assert inside < 1000 < anew <= afterwards
    assert min(count_page_faults("as it is")) >= anew


def test_where_glibc_is_not_the_allocator_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", None)
    with allocator.kept_memory():
        pass
