"""Choose the device and the precision, each with its reason in words."""

import platform
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..errors import UsageError, counted

PrecisionName = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class Device:
    """The device that computes, and why it was chosen."""

    torch_device: torch.device
    reason: str


@dataclass(frozen=True)
class Precision:
    """The number format of convolutions and matrix products, and why it was chosen.

    Weights, optimizer state, losses and metrics stay in float32 either way (autocast).
    """

    dtype: torch.dtype
    reason: str

    @property
    def is_low(self) -> bool:
        """Whether numbers are shorter than float32."""
        return self.dtype != torch.float32

    @property
    def name(self) -> str:
        """``float32`` or ``bfloat16``."""
        return str(self.dtype).removeprefix("torch.")


def resolve_device(request: str) -> Device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps`` into a device that is present.

    Only ``auto`` falls back. Raises UsageError where the request is unknown or absent.
    """
    if request == "auto":
        return _best_device()
    kind, _, index = request.partition(":")
    if kind not in {"cpu", "cuda", "mps"} or (index and not (kind == "cuda" and index.isdecimal())):
        raise UsageError(f"--device {request}: unknown; choose auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda":
        num_gpus, trouble = _count_gpus()
        if num_gpus == 0:
            reason = f"no CUDA GPU is usable here{trouble}; use --device auto"
            raise UsageError(f"--device {request}: {reason}")
        if int(index or 0) >= num_gpus:
            raise UsageError(f"--device {request}: this machine has GPUs 0 to {num_gpus - 1}")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError("--device mps: this machine has no Apple GPU; use --device auto")
    return Device(torch.device(f"cuda:{index or 0}" if kind == "cuda" else kind), "as requested")


def _best_device() -> Device:
    num_gpus, trouble = _count_gpus()
    if num_gpus:
        return Device(torch.device("cuda:0"), f"GPU found: {torch.cuda.get_device_name(0)}")
    if torch.backends.mps.is_available():
        return Device(torch.device("mps"), "Apple GPU found")
    threads = torch.get_num_threads()
    reason = f"no GPU found{trouble}; {counted(threads, 'CPU thread')}"
    return Device(torch.device("cpu"), reason)


def _count_gpus() -> tuple[int, str]:
    """Count the usable GPUs; if torch warns why there is none, return the reason in parentheses."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if num_gpus or not caught:
        return num_gpus, ""
    reason = " ".join(str(caught[0].message).split()).removeprefix("CUDA initialization: ")
    return 0, f" ({reason.partition('. ')[0].partition(' (Triggered')[0]})"


def resolve_precision(request: PrecisionName, device: Device) -> Precision:
    """Choose bfloat16 where the hardware multiplies it natively, float32 elsewhere.

    GPUs before Ampere get float32, not float16: that would need loss scaling, whose state would
    have to be saved and whose skipped updates would break the count of steps.
    Raises UsageError where bfloat16 is asked for on a device that cannot autocast to it.
    """
    kind = device.torch_device.type
    if request == "bfloat16" and kind == "mps":
        raise UsageError("precision bfloat16: not supported on mps; use float32 or auto")
    if request != "auto":
        return Precision(getattr(torch, request), "as configured")
    if kind == "cuda":
        native = multiplies_bfloat16(device.torch_device)
        reason = f"the GPU {'has' if native else 'lacks'} bfloat16 tensor cores"
        return Precision(torch.bfloat16 if native else torch.float32, reason)
    if kind == "cpu" and (unit := _cpu_bfloat16_unit()):
        return Precision(torch.bfloat16, f"the CPU has {unit}")
    return Precision(torch.float32, f"the {kind.upper()} has no bfloat16 units")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Say whether the device multiplies bfloat16 natively, and so faster than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and _cpu_bfloat16_unit() is not None


def _cpu_bfloat16_unit() -> str | None:
    """Name the instruction set that multiplies bfloat16; without one, float32 is faster."""
    if hasattr(torch.cpu, "get_capabilities"):
        units = torch.cpu.get_capabilities()
    else:  # torch 2.10 has only the private predicates
        units = {
            "amx_bf16": torch.cpu._is_amx_tile_supported(),
            "avx512_bf16": torch.cpu._is_avx512_bf16_supported(),
        }
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX512-BF16"}
    return next((name for key, name in names.items() if units.get(key)), None)


def processor_name(device: Device) -> str:
    """Name the GPU or the CPU model: results are equal bit for bit only on equal hardware.

    A CPU's unit for bfloat16 is named too: cloud machines of one name differ in it.
    """
    if device.torch_device.type == "cuda":
        return torch.cuda.get_device_name(device.torch_device)
    unit = _cpu_bfloat16_unit() or torch.backends.cpu.get_cpu_capability()
    name = _cpu_model() or platform.processor() or platform.machine()
    return name if unit == "DEFAULT" else f"{name}, {unit}"


def _cpu_model() -> str:
    """Read the model's name, and the family and number behind it, where the system tells them."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace").partition("\n\n")[0]
    except OSError:  # not Linux
        return ""
    facts: dict[str, str] = dict(
        re.findall(r"^(model name|cpu family|model)\s*:[ \t]*(.+)$", text, re.MULTILINE)
    )
    if not facts.keys() >= {"model name", "cpu family", "model"}:
        return facts.get("model name", "")
    return "{model name} (family {cpu family}, model {model})".format_map(facts)


def require_float64(device: Device, command: str) -> None:
    """Refuse a device on which ``command`` could not compute in float64; UsageError."""
    if device.torch_device.type == "mps":
        raise UsageError(f"{command} computes in float64, which mps lacks; use --device cpu")


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Count numbers below 1.2e-38 as zero on the CPU.

    A momentum of 0.9 falls below that in 850 updates of a weight whose gradient stays zero, and
    many processors compute far slower with such numbers. A thread has the setting of the one that
    starts it: torch's own must start within the block, or half of the numbers are flushed.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def copy_to(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a small tensor to the device; a GPU is not waited for.

    Only CUDA keeps a temporary source alive until an asynchronous copy has read it, and only from
    pinned memory is a copy of more than 64 KiB asynchronous.
    """
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def with_autocast(
    module: Callable[[Tensor], Tensor], device: Device, precision: Precision
) -> Callable[[Tensor], Tensor]:
    """Wrap ``images -> scores`` so that it computes in ``precision`` and returns float32 scores."""
    kind = device.torch_device.type

    def forward(images_BCHW: Tensor) -> Tensor:
        with torch.autocast(kind, dtype=precision.dtype) if precision.is_low else nullcontext():
            return module(images_BCHW).float()

    return forward
