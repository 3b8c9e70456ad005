"""The settings that every part of the benchmark gets, and the ceiling that they share."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cnn_train.machine.device import Device

from .ceiling import AMOUNTS, QUICK_AMOUNTS, Ceiling, measure_ceiling


@dataclass
class Bench:
    """One run of the benchmark.

    data_root: a folder of real images; None: random or drawn ones. scratch: a directory for files,
    gone afterwards. remarks: what was left out, for the reader.
    """

    device: Device
    quick: bool
    repeats: int
    scratch: Path
    data_root: Path | None = None
    config: Path | None = None
    beside: str | None = None
    plot: Path | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long one measurement should take, where that can be chosen."""
        return 0.3 if self.quick else 3.0

    @cached_property
    def ceiling(self) -> Ceiling:
        """The machine's ceiling, measured once, when a part first asks for it."""
        full = AMOUNTS.get(self.device.torch_device.type, AMOUNTS["cpu"])
        return measure_ceiling(self.device, QUICK_AMOUNTS if self.quick else full, self.repeats)
