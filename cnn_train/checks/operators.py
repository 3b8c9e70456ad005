"""Measure the time of each operator with torch's profiler, and sort operators into groups."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

# The first pattern that occurs in an operator's name decides; without one it belongs to "other".
GROUPS = (
    ("convolution backward", r"conv\w*_backward|ConvolutionBackward"),
    ("convolution forward", r"conv"),
    ("normalisation", r"_norm|NormBackward|native_norm"),
    ("activation", r"relu|gelu|silu|hardswish|sigmoid|threshold|Relu|Gelu|Silu"),
    ("pooling", r"pool|Pool"),
    ("matrix product", r"addmm|aten::(b?mm|matmul|linear)\b|mkldnn_linear|MmBackward"),
    (
        "copies, allocation",
        r"copy|empty|clone|contiguous|resize|zeros|zero_|fill_|aten::(to|cat|stack|gather|index)\b"
        r"|index_select|new_|Memcpy|Memset",
    ),
)
OPTIMIZER, OTHER = "optimizer", "other"
GROUP_NAMES = (*(name for name, _ in GROUPS), OPTIMIZER, OTHER)
_OWN_CONVOLUTION = re.compile(r"(?:Winograd|SmallMap)Convolution(Backward)?")
_OPTIMIZER_STEP = "Optimizer.step"  # the range that torch puts around every optimizer's update


@dataclass(frozen=True)
class OperatorTime:
    """One operator's own time, without that of the operators it calls, in all its calls."""

    name: str
    group: str
    calls: int
    seconds: float


def measure_operators(work: Callable[[], object], device: torch.device) -> list[OperatorTime]:
    """Run ``work`` under the profiler; return its operators, the longest first.

    On a GPU an operator's time is that of the kernels it launched.
    """
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_gpu else [])
    with profile(activities=activities, acc_events=True) as profiler:
        work()
        if on_gpu:
            torch.cuda.synchronize(device)
    seconds: Counter[tuple[str, str]] = Counter()
    calls: Counter[tuple[str, str]] = Counter()
    for event in profiler.events() or ():
        if event.device_type.name != "CPU":  # a kernel: already counted by its operator
            continue
        key = event.name, group_of(event)
        own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        seconds[key] += own / 1e6
        calls[key] += 1
    return [
        OperatorTime(name, group, calls[name, group], total)
        for (name, group), total in seconds.most_common()
        if total > 0
    ]


def group_of(event: FunctionEvent) -> str:
    """Name the kind of work: by the optimizer or our own convolution around it, or its name."""
    around: FunctionEvent | None = event
    while around is not None:
        if around.name.startswith(_OPTIMIZER_STEP):
            return OPTIMIZER
        if own := _OWN_CONVOLUTION.fullmatch(around.name):
            return f"convolution {'backward' if own[1] else 'forward'}"
        around = around.cpu_parent
    return group_of_name(event.name)


def group_of_name(name: str) -> str:
    """Name the kind of work of an operator outside the optimizer."""
    return next((group for group, pattern in GROUPS if re.search(pattern, name)), OTHER)
