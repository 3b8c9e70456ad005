"""``cnn-train profile``: where the time of a training step goes."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..page import Block, Page, numbers, paragraph, texts
from .loading import build_untrained_session
from .options import ConfigOption, DataDirOption, DeviceOption, JsonOption, OfflineOption, SetOption
from .present import present

if TYPE_CHECKING:
    from ..checks.profile import StepProfile

NUM_OPERATORS = 12


def profile(
    config: ConfigOption,
    overrides: SetOption = None,
    batches: Annotated[
        int, typer.Option("--batches", min=1, help="Minibatches to take the median over.")
    ] = 10,
    device: DeviceOption = "auto",
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show where a training step's time goes: phases, kinds of operation, operators."""
    # Without it, torch's profiler narrates its start and its end on stderr.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from ..checks.profile import profile_step
    from ..machine.memory_shortage import memory_explained

    overrides = [*(overrides or ()), "cuda_graphs=false"]  # a replay does not tell its operations
    overrides.append("fine_tuning.head_first_epochs=0")  # the steps of most epochs
    session = build_untrained_session(config, overrides, device, data_dir, offline)
    where, batch_size = session.device.torch_device, session.config.batch_size
    with memory_explained(where, batch_size, "--set batch_size"):
        measured = profile_step(session, batches)
    present(Page(tuple(_describe(measured)), asdict(measured)), as_json=as_json)


def _describe(measured: "StepProfile") -> Iterator[Block]:
    from ..checks.profile import PHASES

    yield paragraph(
        f"{measured.model} in {measured.precision} on {measured.device} "
        f"({measured.processor}), minibatches of {measured.batch_size}, "
        f"steps: {measured.num_steps}",
        f"{1000 * measured.step_seconds:,.1f} ms per step, "
        f"{measured.images_per_second:,.0f} images/s, {measured.tflops:.3g} TFLOP/s "
        f"({measured.flops_per_image.training / 1e9:.3g} GFLOP per image)",
    )
    yield _list_shares("phase", measured.phase_seconds, PHASES)
    yield _list_shares("operations", measured.group_seconds, {})
    total = sum(operator.seconds for operator in measured.operators)
    yield Block(
        columns=(*texts("operator"), *numbers("ms", "%", "calls"), *texts("operations")),
        rows=tuple(
            (operator.name, *_share(operator.seconds, total), str(operator.calls), operator.group)
            for operator in measured.operators[:NUM_OPERATORS]
        ),
    )


def _list_shares(heading: str, seconds: Mapping[str, float], meanings: Mapping[str, str]) -> Block:
    """Make a table of milliseconds and percent with a line for the sum."""
    total = sum(seconds.values())
    rows = [(name, *_share(own, total), meanings.get(name, "")) for name, own in seconds.items()]
    last = "what it does" if meanings else ""
    return Block(
        columns=(*texts(heading), *numbers("ms", "%"), *texts(last)),
        rows=(*rows, ("sum", *_share(total, total), "")),
        row_styles={len(rows): "bold"},
    )


def _share(seconds: float, total: float) -> tuple[str, str]:
    return f"{1000 * seconds:,.2f}", f"{100 * seconds / total:.1f}"
