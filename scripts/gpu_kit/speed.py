"""Step ``speed:CONFIG``: images per second of ``fit``, beside a bare loop and a tutorial's loop.

Bare: the same network, precision and optimizer on normalised minibatches that already lie on the
device; nothing is augmented, noted or watched. All take turns; compiled runs come last, because
compiling takes longest.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from statistics import median

from benchmarks.plain_loops import BareLoop, StudentLoop
from benchmarks.rows import Row, compare_speeds
from benchmarks.sessions import build_bare_network, build_plain_model
from benchmarks.train import Speed, sample_speeds, speed_of
from torch.profiler import ProfilerActivity, profile

from cnn_train.data.image_set import ImageSet
from cnn_train.experiment import ExperimentConfig
from cnn_train.losses.regularization import L2Config
from cnn_train.machine.device import Device, resolve_device
from cnn_train.machine.stopwatch import now
from cnn_train.models.flops import count_flops
from cnn_train.training.building import build_session
from cnn_train.training.session import Session

from .attempt import attempt, single
from .kit import Kit

ROUNDS, SECONDS = 3, 1.0
TOY_ROUNDS, TOY_SECONDS = 1, 0.01
BARE_BATCHES = 8
PROFILED_STEPS, TOY_PROFILED_STEPS = 20, 2
WAYS = {"replayed": {"cuda_graphs": True}, "compiled": {"compile": True}}


def rows(kit: Kit, stem: str) -> Iterator[Row]:
    """Measure one config at its own batch size."""
    part, device = f"speed:{stem}", resolve_device(kit.device)
    config = kit.config(stem)
    images = kit.training_images(config)
    session = start(config, images, device)
    flops = count_flops(session.model, images[0].image_shape).training
    fit = speed_of(session)
    student = StudentLoop(
        build_plain_model(config, images[0]), images[0], config.batch_size, device.torch_device
    )
    samples = measure(kit, config.batch_size, {
        "fit": fit,
        "bare": bare_speed(session, compiled=False),
        "tutorial": student.images_per_second,
    })  # fmt: skip
    what = f"{session.precision.name}, minibatches of {config.batch_size}"
    yield compare_speeds(
        part, f"{stem}: fit beside a bare loop", "images/s", samples["fit"], samples["bare"],
        note=what, tflops=flops * median(samples["fit"]) / 1e12,
    )  # fmt: skip
    yield compare_speeds(
        part, f"{stem}: fit beside a tutorial's loop", "images/s",
        samples["fit"], samples["tutorial"], note="float32, NCHW, a DataLoader with two workers",
    )  # fmt: skip
    yield attempt(
        part, f"{stem}: {device.torch_device.type} busy", busy_row, kit, part, fit, device
    )
    for how, settings in WAYS.items():
        row = f"{stem}: fit {how} beside a bare loop"
        yield attempt(part, row, other_row, kit, part, config, images, device, settings)


def busy_row(name: str, kit: Kit, part: str, fit: Speed, device: Device) -> Row:
    """Measure how much of the time of some steps the device has anything to do."""
    num_steps = TOY_PROFILED_STEPS if kit.toy else PROFILED_STEPS
    share = busy_share(lambda: fit(num_steps), device)
    note = f"of the time from the first to the last operation of {num_steps} profiled steps"
    return single(part, name, "%", 100 * share, note=note)


def other_row(
    name: str,
    kit: Kit,
    part: str,
    config: ExperimentConfig,
    images: tuple[ImageSet, ImageSet],
    device: Device,
    settings: dict[str, bool],
) -> Row:
    """Measure another way to compute beside the bare loop, compiled as well where ours is."""
    session = start(config.model_copy(update=settings), images, device)
    samples = measure(kit, config.batch_size, {
        "fit": speed_of(session),
        "bare": bare_speed(session, compiled=session.config.compile),
    })  # fmt: skip
    return compare_speeds(part, name, "images/s", samples["fit"], samples["bare"])


def start(config: ExperimentConfig, images: tuple[ImageSet, ImageSet], device: Device) -> Session:
    """Build a session without the smaller minibatch at an epoch's end, which compiles anew."""
    full_batches = max(1, len(images[0]) // config.batch_size)
    return build_session(config, *images, device, full_batches)


def measure(kit: Kit, batch_size: int, speeds: dict[str, Speed]) -> dict[str, list[float]]:
    """Measure all in turns, after steps in which each allocates, compiles and chooses kernels."""
    for speed in speeds.values():
        speed(2)
    seconds, rounds = (TOY_SECONDS, TOY_ROUNDS) if kit.toy else (SECONDS, ROUNDS)
    return sample_speeds(speeds, batch_size, seconds, rounds, warm_up=False)


def bare_speed(session: Session, *, compiled: bool) -> Speed:
    """Return what measures the bare loop over a few minibatches, again and again."""
    config, device = session.config, session.device.torch_device
    model, forward = build_bare_network(session, compiled=compiled)
    optimizer = config.optimizer.build(model)
    if isinstance(config.regularization, L2Config):  # λΣW² for free, as its gradient 2λW
        for group in optimizer.param_groups:
            group["weight_decay"] = 2 * config.regularization.strength
    loop = BareLoop(model, forward, optimizer)
    plain = replace(session.batches, side_px=None)
    batches = cycle(list(islice(plain.epoch(0), BARE_BATCHES)))

    def images_per_second(num_steps: int) -> float:
        chosen = list(islice(batches, num_steps))
        started = now(device)
        loop.train(chosen)
        return sum(len(batch.labels_B) for batch in chosen) / (now(device) - started)

    return images_per_second


def busy_share(work: Callable[[], object], device: Device) -> float:
    """Return the share of the work's time in which the device had an operation under way.

    The work is done twice: the profiler's own start would count as a pause.
    """
    on_gpu = device.torch_device.type == "cuda"
    activities = [ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]
    with profile(activities=activities, acc_events=True):
        work()
    with profile(activities=activities, acc_events=True) as profiler:
        work()
    wanted = "CUDA" if on_gpu else "CPU"
    return share_covered([
        (event.time_range.start, event.time_range.end)
        for event in profiler.events() or ()
        if event.device_type.name == wanted and not event.is_user_annotation
    ])  # fmt: skip


def share_covered(spans: list[tuple[float, float]]) -> float:
    """Return what part of the time from the first start to the last end lies in any span."""
    if not spans:
        raise ValueError("the profiler saw no operation")
    covered, reached = 0.0, min(start for start, _ in spans)
    first = reached
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered / (reached - first)
