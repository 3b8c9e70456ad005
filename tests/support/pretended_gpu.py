"""A GPU that is not there: what CUDA would refuse, and for what a program would wait for it.

On the pretended GPU tensors have numbers, but refuse to meet those of the CPU where CUDA's would.
Python finds it to be the second GPU of a machine, so that what lies on the first by mistake shows
too; torch's C++, which asks a driver about "cuda" in every backward pass, finds it to be "meta".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)

_aten = torch.ops.aten
_COPYING = (_aten.copy_, _aten._to_copy)
_INDEXING = (_aten.index, _aten.index_put, _aten.index_put_)
_WAITING = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}


class OnGpu(Tensor):
    """A tensor of the pretended GPU; ``on_cpu``: the tensor that really holds its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    device = property(lambda self: GPU)
    is_meta = property(lambda self: False)

    @staticmethod
    def __new__(cls, on_cpu: Tensor) -> "OnGpu":
        layout = {"strides": on_cpu.stride(), "storage_offset": on_cpu.storage_offset()}
        return Tensor._make_wrapper_subclass(
            cls, on_cpu.shape, dtype=on_cpu.dtype, device="meta", **layout
        )

    def __init__(self, on_cpu: Tensor) -> None:
        self.on_cpu = on_cpu

    @classmethod
    def __torch_dispatch__(cls, func: Any, *_: Any) -> Any:
        raise AssertionError(f"{func}: the pretended GPU is switched off")

    @property
    def data(self) -> Tensor:
        return self.detach()

    @data.setter
    def data(self, other: "OnGpu") -> None:
        Tensor.data.__set__(self, other)
        self.on_cpu = other.on_cpu

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:  # torch.save brings it to the CPU
        return self.cpu().__reduce_ex__(protocol)


class PretendedGpu(TorchDispatchMode):
    """Compute on the pretended GPU while active.

    ``waits``: the operations for which a program would have stood still until a GPU is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        place = find_place(func, args, kwargs)
        if func.overloadpacket not in _COPYING:
            require_one_device(func, args, kwargs, place)
        if waits(func, args, kwargs, place):
            self.waits.append(str(func))
        return compute(func, args, kwargs, place)


def tensors_in(*arguments: Any) -> list[Tensor]:
    """Return the tensors among an operation's arguments, in order."""
    return [one for one in tree_leaves(arguments) if isinstance(one, Tensor)]


def find_place(func: Any, args: Any, kwargs: Any) -> torch.device:
    """Return the device on which the operation computes, or to which it copies."""
    tensors = tensors_in(args, kwargs)
    asked = tensors[0].device if func.overloadpacket == _aten.copy_ else kwargs.get("device")
    if asked is None or asked.type == "meta":  # "meta" is what torch's C++ takes our GPU for
        asked = GPU if asked or any(isinstance(one, OnGpu) for one in tensors) else CPU
    assert asked in (CPU, GPU), f"{func} would compute on {asked}"
    return asked


def require_one_device(func: Any, args: Any, kwargs: Any, place: torch.device) -> None:
    """Raise where CUDA would: a scalar of the CPU may meet its tensors, and index them any."""
    operation, generator = func.overloadpacket, kwargs.get("generator")
    meeting = (args[0], args[2:]) if operation in _INDEXING else (args, kwargs)
    for one in tensors_in(meeting):
        if one.ndim or operation in (_aten.cat, _aten.stack):
            assert one.device == place, f"{func} on {place} meets a tensor on {one.device}"
    assert generator is None or generator.device == place, f"{func}: generator not on {place}"


def waits(func: Any, args: Any, kwargs: Any, place: torch.device) -> bool:
    """Say whether the program stands still: for a copy, or for a shape that numbers decide."""
    tensors = tensors_in(args, kwargs)
    if func.overloadpacket in _COPYING:
        is_asynchronous = kwargs.get("non_blocking", False) or True in args[2:]
        return not is_asynchronous and any(one.device != place for one in tensors)
    if func.overloadpacket in _INDEXING:  # by a mask, or by an index that must be copied first
        return any(one.dtype == torch.bool or one.device != place for one in tensors[1:])
    return place == GPU and bool(_WAITING & set(func.tags))


def compute(func: Any, args: Any, kwargs: Any, place: torch.device) -> Any:
    """Do the operation on the CPU; what comes out lies at ``place``, or is what came in."""
    of_gpu = {id(one.on_cpu): one for one in tensors_in(args, kwargs) if isinstance(one, OnGpu)}
    left_out = ("pin_memory", "non_blocking")
    kwargs = {name: value for name, value in kwargs.items() if name not in left_out}
    if "device" in kwargs:
        kwargs["device"] = CPU
    args, kwargs = tree_map_only(OnGpu, lambda one: one.on_cpu, (args, kwargs))

    def put(one: Tensor) -> Tensor:
        known = of_gpu.get(id(one))
        assert known is None or known.shape == one.shape, f"{func} cannot be pretended"
        if known is not None:
            return known
        return OnGpu(one) if place == GPU else one

    return tree_map_only(Tensor, put, func(*args, **kwargs))


class Event:
    """What torch.cuda.Event is to us; a stream of the right GPU must record it."""

    def record(self, stream: object = None) -> None:
        assert stream == ("stream", GPU)

    def synchronize(self) -> None:
        pass


def answer_for_the_gpu(answer: Any, device: torch.device) -> Any:
    """Answer what is asked about our GPU, and refuse to speak of another."""
    assert device == GPU, f"{device} was asked about"
    return answer


@contextmanager
def pretended_gpu() -> Iterator[PretendedGpu]:
    """Compute with a pretended GPU in the block, whatever is asked of torch.cuda."""

    def pin(tensor: Tensor) -> Tensor:
        assert tensor.device == CPU, "only the CPU's memory can be pinned"
        return tensor

    answers = {
        "synchronize": None, "get_device_name": "", "get_device_capability": (9, 0),
        "current_stream": ("stream", GPU), "mem_get_info": (1 << 30, 1 << 30),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch, PretendedGpu() as mode:
        patch.setattr(Tensor, "pin_memory", pin)
        patch.setattr(torch.cuda, "Event", Event)
        for name, answer in answers.items():
            patch.setattr(torch.cuda, name, partial(answer_for_the_gpu, answer))
        if not torch.cuda.is_available():
            patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        yield mode
