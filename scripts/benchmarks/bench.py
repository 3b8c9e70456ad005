"""What every part of the benchmark is told, and the ceiling that they share."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cnn_train.machine.device import Device, Precision

from .ceiling import Ceiling, measure_ceiling


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
        return measure_ceiling(self.device, self.quick, self.repeats)

    def share_of_ceiling(self, tflops: float, precision: Precision) -> float:
        """Return ``tflops`` in units of the best that was measured in this number format."""
        return tflops / self.ceiling.best(precision.name)
