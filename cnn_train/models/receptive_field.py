"""Which input pixels can reach one unit of a layer, followed through every tensor operation.

Method: each tensor that depends on the image carries three numbers per axis: the receptive field,
the jump (how many input pixels lie between neighbouring units) and the start of the first unit's
field. A window of k units with stride s and padding p makes them ``field + (k - 1) · jump``,
``jump · s`` and ``start - p · jump``. Sums, concatenations and products see what any of their
inputs sees. Every other operation keeps the field, unless it leaves fewer units: averaging or
flattening a whole map sees all of it.

Operations are watched below ``nn.Module`` (a torch dispatch mode), so that networks whose forward
calls functions are measured too. Padding counts as image: a field may exceed the image's side.

Shape letters: B minibatch, C channels, H W pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten


@dataclass(frozen=True)
class ReceptiveField:
    """What one unit of a tensor sees, vertically and horizontally.

    The unit (row, column) sees ``size_px`` pixels from ``start_px + (row, column) · jump_px`` on;
    what lies outside the image is padding.
    ``axes``: where the tensor keeps height and width, counted from its last dimension (-1);
    empty once they are flattened away.
    """

    size_px: tuple[int, int] = (1, 1)
    jump_px: tuple[int, int] = (1, 1)
    start_px: tuple[int, int] = (0, 0)
    axes: tuple[int, ...] = (-2, -1)

    def after_window(
        self, units: Sequence[int], stride: Sequence[int], padding: Sequence[int] = (0, 0)
    ) -> "ReceptiveField":
        """Return the field of units that each see a window of ``units`` of these."""
        (height, width), (jump_y, jump_x) = self.size_px, self.jump_px
        top, left = self.start_px
        return replace(
            self,
            size_px=(height + (units[0] - 1) * jump_y, width + (units[1] - 1) * jump_x),
            jump_px=(jump_y * stride[0], jump_x * stride[1]),
            start_px=(top - padding[0] * jump_y, left - padding[-1] * jump_x),
        )

    def united_with(self, others: "Sequence[ReceptiveField]") -> "ReceptiveField":
        """Return the smallest field around this one and ``others``."""
        fields = (self, *others)
        top, left = (min(field.start_px[axis] for field in fields) for axis in (0, 1))
        bottom, right = (
            max(field.start_px[axis] + field.size_px[axis] for field in fields) for axis in (0, 1)
        )
        return replace(self, size_px=(bottom - top, right - left), start_px=(top, left))

    def after_reshaping(self, before: Sequence[int], after: Sequence[int]) -> "ReceptiveField":
        """Return the field where an operation turned shape ``before`` into ``after``.

        A map that shrinks is read in equal windows; one that vanishes is read as a whole.
        """
        if not self.axes:
            return self
        is_flat = len(after) < len(self.axes) + 1
        units = [
            math.ceil(before[axis] / (1 if is_flat else min(before[axis], after[axis])))
            for axis in self.axes
        ]
        field = self.after_window(units, stride=units)
        return replace(field, axes=()) if is_flat else field


class ReceptiveFieldTracker(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While active, knows the receptive field of every tensor computed from the image."""

    def __init__(self, images_BCHW: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # by identity; the tensors are kept, or a new one might be given a dead one's id
        self._known = {id(images_BCHW): (images_BCHW, ReceptiveField())}

    def field_of(self, tensor: Tensor) -> ReceptiveField:
        """Return the receptive field of a tensor computed while the tracker was active."""
        return self._known[id(tensor)][1]

    def set_field(self, tensor: Tensor, field: ReceptiveField) -> None:
        """Correct the field of a tensor, where its operations say less than its layer does."""
        self._known[id(tensor)] = (tensor, field)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        sources = [t for t in tree_leaves((args, kwargs)) if id(t) in self._known]
        results = func(*args, **(kwargs or {}))
        if sources:
            widest = max(sources, key=self._num_units)
            field = self.field_of(widest).united_with([self.field_of(t) for t in sources])
            for result in tree_leaves(results):
                if isinstance(result, Tensor):
                    self.set_field(result, field_after(func, args, field, widest, result))
        return results

    def _num_units(self, tensor: Tensor) -> int:
        return math.prod(tensor.shape[axis] for axis in self.field_of(tensor).axes)


def field_after(
    func: Any, args: Sequence[Any], field: ReceptiveField, source: Tensor, result: Tensor
) -> ReceptiveField:
    """Return the field of ``result`` = func(*args), given the one of its input ``source``."""
    match func.overloadpacket:
        case aten.convolution:
            _, weight, _, stride, padding, dilation, *_ = args
            kernel = weight.shape[2:]
            units = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
            return field.after_window(units, stride, padding)
        case aten.max_pool2d_with_indices | aten.avg_pool2d:
            kernel, stride = args[1], args[2] if len(args) > 2 and args[2] else args[1]
            return field.after_window(kernel, stride, args[3] if len(args) > 3 else (0, 0))
        case aten.constant_pad_nd:
            zeros_before = dict(enumerate(args[1][::2], start=1))  # the last dimension's come first
            padding = [zeros_before.get(-axis, 0) for axis in field.axes] or [0, 0]
            return field.after_window((1, 1), (1, 1), padding)
        case aten.slice:
            return _after_slice(args, field, source)
        case aten.permute:
            order = list(args[1])
            axes = tuple(order.index(axis % source.ndim) - source.ndim for axis in field.axes)
            return replace(field, axes=axes)
    return field.after_reshaping(source.shape, result.shape)


def _after_slice(args: Sequence[Any], field: ReceptiveField, source: Tensor) -> ReceptiveField:
    """Return the field after x[start:end:step] of one dimension: what is skipped is not read."""
    axis = args[1] % source.ndim - source.ndim
    if axis not in field.axes:
        return field
    first, end, step = [*args[2:5], None, None, None][:3]
    skipped, _, step = slice(first, end, step).indices(source.shape[axis])
    stride = [step if spatial == axis else 1 for spatial in field.axes]
    padding = [-skipped if spatial == axis else 0 for spatial in field.axes]
    return field.after_window((1, 1), stride, padding)
