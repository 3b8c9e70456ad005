"""How much memory is free, and whether something fits into a safe share of it."""

import os
from contextlib import suppress
from itertools import product
from pathlib import Path

import torch

from .rendezvous import launched_with, read_number

SHARE = 0.4  # the rest is for the network, and for the copy that splitting a set makes
PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
LIMITS = (("max", "current"), ("limit_in_bytes", "usage_in_bytes"))  # control groups, v2 and v1


def weigh(num_bytes: int, device: torch.device, asked: str) -> tuple[bool, str]:
    """Return whether so much is to lie on the device, and why.

    asked: device, host, or auto: if it fits into SHARE of the free memory.
    """
    if asked != "auto":
        return asked == "device", "as configured"
    free = free_memory(device) // (1 if device.type == "cuda" else num_local_processes())
    fits = num_bytes <= SHARE * free
    size, room = (f"{number / 1e9:.3g} GB" for number in (num_bytes, free))
    verb = "" if fits else "do not "
    return fits, f"{size} {verb}fit into {100 * SHARE:.0f} % of the {room} that are free"


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a CUDA GPU, or what this process may take of the computer's.

    On Linux that is what is available, also below a container's limit; elsewhere all there is.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError, LookupError, ValueError):
        found.append(1024 * _numbers(PROC / "meminfo")["MemAvailable:"])
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
        paths = {f"{line.split(':', 2)[2].strip('/')}/own" for line in lines}
        places = [root / path for root in (CGROUPS, CGROUPS / "memory") for path in paths]
        for folder, names in product({one for place in places for one in place.parents}, LIMITS):
            with suppress(OSError, LookupError, ValueError):  # no such group; no limit ("max")
                most, used = (int((folder / f"memory.{name}").read_text()) for name in names)
                kinds = _numbers(folder / "memory.stat")  # cached files make room
                found.append(most - used + kinds["inactive_file"] + kinds["active_file"])
    return max(min(found), 0)


def num_local_processes() -> int:
    """Return how many processes of a run share this computer's memory; at most, under SLURM."""
    given = launched_with()
    return read_number(given, "LOCAL_WORLD_SIZE", read_number(given, "WORLD_SIZE", default=1))


def _numbers(path: Path) -> dict[str, int]:
    """Read a file of the system, each line a name, a number and perhaps a unit."""
    return {row[0]: int(row[1]) for row in map(str.split, path.read_text().splitlines())}
