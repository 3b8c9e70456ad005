"""``cnn-train profile``: where the time of a training step goes."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from .options import ConfigOption, DataDirOption, DeviceOption, JsonOption, OfflineOption, SetOption

if TYPE_CHECKING:
    from rich.table import Table

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
    from .console import print_json
    from .untrained_session import build_untrained_session

    session = build_untrained_session(config, overrides, device, data_dir, offline)
    where, batch_size = session.device.torch_device, session.config.batch_size
    with memory_explained(where, batch_size, "--set batch_size"):
        measured = profile_step(session, batches)
    if as_json:
        print_json(measured.to_json())
    else:
        _show(measured)


def _show(measured: "StepProfile") -> None:
    from ..checks.profile import PHASES
    from .console import stdout

    stdout.print(
        f"{measured.model} in {measured.precision} on {measured.device} ({measured.processor}), "
        f"minibatches of {measured.batch_size}, steps: {measured.num_steps}\n"
        f"{1000 * measured.step_seconds:,.1f} ms per step, "
        f"{measured.images_per_second:,.0f} images/s, {measured.tflops:.3g} TFLOP/s "
        f"({measured.flops_per_image.training / 1e9:.3g} GFLOP per image)",
        markup=False,
        soft_wrap=True,
    )
    stdout.print(_share_table("phase", measured.phase_seconds, PHASES))
    stdout.print(_share_table("operations", measured.group_seconds, {}))
    stdout.print(_operator_table(measured))


def _share_table(
    heading: str, seconds: Mapping[str, float], meanings: Mapping[str, str]
) -> "Table":
    """Make a table of milliseconds and percent with a line for the sum."""
    table = _make_table(heading, "ms", "%")
    if meanings:
        table.add_column("what it does")
    total = sum(seconds.values())
    for name, own in seconds.items():
        table.add_row(name, *_share(own, total), *([meanings[name]] if meanings else []))
    table.add_row("sum", *_share(total, total), style="bold")
    return table


def _operator_table(measured: "StepProfile") -> "Table":
    from rich.markup import escape

    table = _make_table("operator", "ms", "%", "calls")
    table.add_column("operations")
    total = sum(one.seconds for one in measured.operators)
    for one in measured.operators[:NUM_OPERATORS]:
        table.add_row(escape(one.name), *_share(one.seconds, total), str(one.calls), one.group)
    return table


def _make_table(heading: str, *numbers: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", title="")
    table.add_column(heading, no_wrap=True, min_width=22)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _share(seconds: float, total: float) -> tuple[str, str]:
    return f"{1000 * seconds:,.2f}", f"{100 * seconds / total:.1f}"
