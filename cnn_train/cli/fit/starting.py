"""What ``cnn-train fit`` was asked for, and how a new run begins."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...checkpoints.checkpoint import parse_checkpoint, read_verified
from ...checks.sanity import Finding
from ...config.explain import render_yaml
from ...config.loading import load_experiment
from ...config.source import read_text
from ...data.dataset import DatasetConfig
from ...data.image_set import ImageSet
from ...data.splits import load_training_splits
from ...errors import UsageError
from ...experiment import ExperimentConfig
from ...machine.atomic_file import save_json, write_atomically
from ...machine.environment import describe_environment
from ...machine.memory_shortage import memory_explained
from ...machine.processes import World, lost_processes_explained
from ...random_streams import make_deterministic
from ...runs.directory import RunDirectory, find_checkpoint
from ...training.building import build_session
from ...training.data_parallel import check_same_images, device_of
from ...training.fine_tuning import start_from_weights
from ...training.session import Session
from ..console import notice, print_json, warn
from ..data_access import make_data_access
from .sanity_display import require_sane, show_first_loss, show_sanity
from .training_display import describe_plan, show_plan, train_and_show


@dataclass(frozen=True)
class FitRequest:
    """The options of one call of ``fit``, and the processes that share it."""

    config: Path | None
    overrides: tuple[str, ...]
    resume: Path | None
    allowed_changes: tuple[str, ...]
    weights: Path | None
    new_head: bool
    device: str
    name: str | None
    run_root: Path
    data_dir: Path | None
    data_root: Path | None
    offline: bool
    verify_data: bool
    limit_batches: int | None
    deterministic: bool
    dry_run: bool
    sanity: bool
    as_json: bool
    world: World

    @cached_property
    def text(self) -> str:
        """The config file's text: the first process reads it (standard input serves once)."""
        assert self.config is not None
        text = read_text(self.config) if self.world.is_first else None
        return str(self.world.tell("config", text))

    @property
    def run_name(self) -> str:
        """What the run is called: ``--name``, or the config file's name."""
        assert self.config is not None
        return self.name or ("stdin" if str(self.config) == "-" else self.config.stem)

    def load_experiment(self) -> ExperimentConfig:
        """Return the settings asked for, with paths that mean the same from every directory."""
        assert self.config is not None
        experiment = load_experiment(self.config, self.overrides, ExperimentConfig, text=self.text)
        for warning in experiment.warnings():
            warn(warning)
        return experiment.model_copy(update={"data": experiment.data.located()})

    def build_session(
        self, experiment: ExperimentConfig, data: DatasetConfig, limit_batches: int | None
    ) -> Session:
        """Load the images of ``data`` and build a fresh session on the device asked for."""
        chosen = device_of(self.world, self.device)
        if self.deterministic:
            make_deterministic(chosen.torch_device)
        train, val = self._load_images(data)
        return build_session(experiment, train, val, chosen, limit_batches, self.world)

    def _load_images(self, data: DatasetConfig) -> tuple[ImageSet, ImageSet]:
        """Load (train, validation); several processes go on when all have the same images."""
        access = make_data_access(self.data_dir, self.offline, verify=self.verify_data)
        with self.world.first_on_each_machine("images"):
            train, val = load_training_splits(data, access)
        self.world.meet("all images are loaded")
        check_same_images(train, val, self.world)
        return train, val


def start(request: FitRequest) -> None:
    """Begin a new run and train it to its end."""
    if request.config is None:
        raise UsageError("fit needs --config CONFIG, or --resume RUN")
    if request.allowed_changes and request.resume is None:
        raise UsageError("--allow-config-change goes with --resume")
    if request.new_head and request.weights is None:
        raise UsageError("--new-head goes with --weights")
    experiment = request.load_experiment()
    session = request.build_session(experiment, experiment.data, request.limit_batches)
    origin = fill_in_weights(session, request)
    findings = show_sanity(session, starts_anew=not origin) if request.sanity else []
    if request.dry_run:
        show_dry_run(session, request.as_json, findings)
        return
    run = create_run(session, request.run_root, request.run_name, request.text, origin)
    with locked(run, request.world):
        train(session, run, request.as_json, findings, starts_anew=not origin)


def fill_in_weights(session: Session, request: FitRequest) -> dict[str, str]:
    """Put the weights asked for into the fresh network, and say which; {} without any."""
    if request.weights is None:
        return {}
    path = find_checkpoint(request.weights)
    file = read_verified(path)
    filled = start_from_weights(
        session.model,
        parse_checkpoint(file, path),
        new_head=request.new_head,
        average=session.average,
        class_names=session.batches.images.class_names,
    )
    notice(f"weights from {path}: {len(filled.kept)} tensors kept")
    for what, names in (("dropped", filled.dropped), ("drawn anew", filled.new)):
        if names:
            notice(f"{what}: {', '.join(names)}")
    return {"weights_from": str(path.resolve()), "weights_sha256": file.digest}


@contextmanager
def locked(run: RunDirectory, world: World) -> Iterator[None]:
    """Lock the run in the first process; the others wait until it is locked."""
    with run.locked() if world.is_first else nullcontext():
        world.meet("the run directory is locked")
        yield


def show_dry_run(session: Session, as_json: bool, findings: Sequence[Finding] = ()) -> None:
    """Say what would run; raise CheckFailedError where a check failed."""
    show_plan(session, run=None)
    if as_json:
        plan = {"dry_run": True, "plan": describe_plan(session, run=None)}
        print_json(plan | in_json(findings))
    require_sane(findings)


def in_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what the checks before training add to a JSON document."""
    return {"sanity": [one.to_json() for one in findings]} if findings else {}


def train(
    session: Session,
    run: RunDirectory,
    as_json: bool,
    findings: Sequence[Finding] = (),
    *,
    starts_anew: bool = False,
) -> None:
    """Train to the end on the screen; a lost process ends it with advice."""
    show_plan(session, run)
    advice = f"; nothing is lost. Go on from its last checkpoint: fit --resume {run.path}"
    explained = lost_processes_explained(advice) if session.world.size > 1 else nullcontext()
    device, batch_size = session.device.torch_device, session.config.batch_size
    with explained, memory_explained(device, batch_size, "--set batch_size"):
        if session.epoch == session.position == 0:
            show_first_loss(session, starts_anew=starts_anew)
        summary = train_and_show(session, run)
    if as_json:
        print_json(summary | in_json(findings))


def create_run(
    session: Session, run_root: Path, name: str, text: str, origin: dict[str, str]
) -> RunDirectory:
    """Make the run directory; write down what was asked for, what is in force, and where.

    The first process does; the others learn where it is. ``origin`` is that of the first weights.
    """
    world = session.world
    if not world.is_first:
        return RunDirectory(Path(world.tell("run directory")))
    run = RunDirectory.create(run_root, name)
    environment = {
        **describe_environment(session.device, world),
        "device_reason": session.device.reason,
        "precision": session.precision.name,
        "precision_reason": session.precision.reason,
        **origin,
    }
    save_json(run.environment, environment)
    write_atomically(run.given_config, text.encode())
    record_settings(session, run)
    world.tell("run directory", str(run.path))
    return run


def record_settings(session: Session, run: RunDirectory) -> None:
    """Write down every setting that is in force."""
    write_atomically(run.resolved_config, render_yaml(session.config).encode())
