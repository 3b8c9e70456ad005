import platform
import subprocess
import sys

import pytest

from cnn_train.acceleration import allocator

# Frees and takes 64 MiB again and again; counts the pages that the kernel had to map anew in the
# second half, when a heap that is kept has found its size.
COUNT_PAGE_FAULTS = """
import resource, sys, torch
from cnn_train.acceleration.allocator import give_back_freed_memory, keep_freed_memory
if sys.argv[1] != "as it is":
    assert keep_freed_memory()
if sys.argv[1] == "give back":
    assert give_back_freed_memory()
for _ in range(20):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def count_page_faults(mode: str) -> int:
    command = [sys.executable, "-c", COUNT_PAGE_FAULTS, mode]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back")
def test_freed_memory_is_used_again_without_new_pages() -> None:
    anew = 20 * 2**12
    assert count_page_faults("keep") < 1000 < anew <= count_page_faults("as it is")
    assert count_page_faults("give back") >= anew


def test_where_glibc_is_not_the_allocator_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not allocator.keep_freed_memory()
    assert not allocator.give_back_freed_memory()
