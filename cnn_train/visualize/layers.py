"""The units of a named layer: where they are measured, what they see, and their values.

A unit of a convolution is measured after the normalisation and activation, if these alone follow
it: conv3_2 of a VGG means the output of relu3_2. That is what the next layer reads.

Shape letters: B minibatch, C channels, H W units of a map.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from ..config.spelling import nearest
from ..errors import UsageError, name_some
from ..models.receptive_field import ReceptiveField
from ..models.summary import LayerRun

RELUS = (nn.ReLU, nn.ReLU6)
ACTIVATIONS = (
    *RELUS, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Hardswish, nn.Hardsigmoid, nn.ELU,
    nn.LeakyReLU, nn.Mish,
)  # fmt: skip
LEAST_MAP = 4
"""Units along a side of a map that still shows where something is."""
NORMS = (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Units:
    """The units of ``layer``: channels C on a map of H × W units (1 × 1 where it is flat).

    ``measured_at``: the layer whose output is taken. ``can_be_dead``: whether that is a ReLU, so
    that a channel may be 0 on every image. ``call``: which of the module's runs for one image.
    """

    layer: str
    measured_at: str
    module: nn.Module
    num_channels: int
    map_size: tuple[int, int]
    field: ReceptiveField
    can_be_dead: bool
    call: int = 1

    @property
    def description(self) -> str:
        """The layer's name, and where it is measured if that is elsewhere."""
        elsewhere = "" if self.measured_at == self.layer else f" (after {self.measured_at})"
        return self.layer + elsewhere


def find_units(runs: Sequence[LayerRun], layer: str) -> Units:
    """Return the units of ``layer``, one of those that `models show` lists.

    Raises UsageError where the network has no such layer, or uses it several times.
    """
    end = _end_of(runs, find_run(runs, layer))
    channels, height, width = as_maps(end.output, end.field).shape[1:]
    is_relu = isinstance(end.module, RELUS)
    return Units(layer, end.name, end.module, channels, (height, width), end.field, is_relu)


def find_run(runs: Sequence[LayerRun], layer: str) -> LayerRun:
    """Return the only run of ``layer``; UsageError where there is none, or several."""
    own = [run for run in runs if run.name == layer]
    if not own:
        raise UsageError(f"--layer {layer}: the model has no such layer; {_hint(runs, layer)}")
    if len(own) > 1:
        raise UsageError(
            f"--layer {layer}: runs {len(own)} times for one image; choose a layer that runs once"
        )
    return own[0]


def _hint(runs: Sequence[LayerRun], layer: str) -> str:
    names = list(dict.fromkeys(run.name for run in runs))
    guess = nearest(layer, names)
    return f"did you mean {guess!r}?" if guess else f"choose from {name_some(names)}"


def _end_of(runs: Sequence[LayerRun], run: LayerRun) -> LayerRun:
    """Follow normalisation to the activation that reads ``run``; without one, stay at ``run``."""
    end = [run, *followers(runs, run)][-1]
    return end if isinstance(end.module, ACTIVATIONS) else run


def followers(runs: Sequence[LayerRun], run: LayerRun) -> Iterator[LayerRun]:
    """Yield the norms and the activation that alone read ``run``, up to the first activation."""
    current = run
    while not isinstance(current.module, ACTIVATIONS):
        readers = [other for other in runs if other.input is current.output]
        if len(readers) != 1 or not isinstance(readers[0].module, (*ACTIVATIONS, *NORMS)):
            return
        current = readers[0]
        if sum(other.name == current.name for other in runs) > 1:  # shared: whose output is it?
            return
        yield current


def default_layers(runs: Sequence[LayerRun]) -> list[str]:
    """Return the first, middle and last convolution that runs once, or else all linear layers.

    Those of tiny maps, of less than 4 × 4 units, count only where there are no others.
    """
    convolutions = [run for run in runs if isinstance(run.module, nn.Conv2d)]
    names = _with_maps(runs, convolutions, LEAST_MAP) or _with_maps(runs, convolutions, 1)
    if not names:
        return [run.name for run in runs if isinstance(run.module, nn.Linear)]
    return list(dict.fromkeys(names[i] for i in (0, (len(names) - 1) // 2, -1)))


def last_map(runs: Sequence[LayerRun]) -> str | None:
    """Return the last layer that runs once with maps of 4 × 4 units or, if none has, of 2 × 2."""
    names = _with_maps(runs, runs, LEAST_MAP) or _with_maps(runs, runs, 2)
    return names[-1] if names else None


def _with_maps(runs: Sequence[LayerRun], some: Sequence[LayerRun], side: int) -> list[str]:
    """Name those of ``some`` that run once and whose maps have ``side`` units or more each way."""
    names = [run.name for run in runs]
    return [
        run.name
        for run in some
        if names.count(run.name) == 1 and run.field.axes
        if min(as_maps(run.output, run.field).shape[2:]) >= side
    ]


def as_maps(output: Tensor, field: ReceptiveField) -> Tensor:
    """Return a layer's output as BCHW: channels-last maps turned, flat features as 1 × 1 maps."""
    if not field.axes:
        return output.flatten(1)[:, :, None, None]
    return output.movedim(field.axes, (-2, -1))


class _Reached(Exception):  # noqa: N818  (not an error: no later layer is needed)
    """Ends a forward pass after the last layer of interest."""


@contextmanager
def keep_outputs(units: Sequence[Units], *, then_stop: bool = False) -> Iterator[dict[str, Tensor]]:
    """Collect by layer the raw outputs of the passes in the block.

    then_stop: end a pass, and the block, once all are there.
    """
    outputs: dict[str, Tensor] = {}
    num_calls: Counter[str] = Counter()

    def keep(own: Units, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        num_calls[own.layer] += 1
        if num_calls[own.layer] == own.call:
            # What reads it may change it in place; a slope is wanted of this very tensor, though.
            outputs[own.layer] = output if output.requires_grad else output.clone()
        if then_stop and len(outputs) == len(units):
            raise _Reached

    with suppress(_Reached), ExitStack() as hooks:
        for own in units:
            hooks.enter_context(own.module.register_forward_hook(partial(keep, own)))
        yield outputs


def unit_maps(model: nn.Module, units: Sequence[Units], inputs_BCHW: Tensor) -> dict[str, Tensor]:
    """Return by layer the values BCHW of its units; no later layer is computed."""
    assert not model.training
    with keep_outputs(units, then_stop=True) as outputs:
        model(inputs_BCHW)
    return {own.layer: as_maps(outputs[own.layer], own.field) for own in units}
