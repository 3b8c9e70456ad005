"""Step ``environment``: what machine this is, and the ceiling of its arithmetic."""

import os
from collections.abc import Iterator

import torch
from benchmarks.ceiling import AMOUNTS, Amounts, ceiling_rows, measure_ceiling
from benchmarks.rows import Row

from cnn_train.machine.device import resolve_device, resolve_precision
from cnn_train.machine.environment import describe_environment

from .attempt import single
from .kit import Kit

TOY_AMOUNTS = Amounts((16, 32), (1, 4, 8), 1000, 0.001)


def rows(kit: Kit, _: str) -> Iterator[Row]:
    """Name the hardware and the versions, then measure the ceiling."""
    device = resolve_device(kit.device)
    facts = describe_environment(device)
    del facts["platform"]  # a kernel of no interest
    cores, processor = os.cpu_count() or 1, facts.pop("processor")
    yield single("environment", "processor", "CPU cores", cores, note=processor)
    facts["precision auto"] = resolve_precision("auto", device).name
    facts["float32 convolutions"] = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if device.torch_device.type == "cuda":
        properties = torch.cuda.get_device_properties(device.torch_device)
        memory = properties.total_memory
        facts |= {
            "capability": f"{properties.major}.{properties.minor}",
            "multiprocessors": str(properties.multi_processor_count),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        }
    note = "; ".join(f"{name} {value}" for name, value in facts.items())
    yield single("environment", "versions, memory", "GiB", memory / 2**30, note=note)
    amounts = TOY_AMOUNTS if kit.toy else AMOUNTS["cuda"]
    yield from ceiling_rows(measure_ceiling(device, amounts, repeats=2))
