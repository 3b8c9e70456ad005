"""What ``cnn-train fit`` was asked for, and how a new run begins."""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...config.explain import render_yaml
from ...config.source import read_text
from ...errors import UsageError
from ...experiment import ExperimentConfig
from ...machine.atomic_file import save_json, write_anew, write_atomically
from ...machine.environment import describe_environment
from ...machine.processes import ALONE, World
from ...runs.directory import RunDirectory, find_checkpoint
from ...training.fine_tuning import Weights, fill_in
from ...training.fit import Supervision
from ...training.progress import EpochRecord
from ...training.run import Job, load_images, load_session, train_job
from ...training.session import Session
from ..console import notice, warn
from ..loading import load_settings, make_data_access
from .sanity_display import show_sanity
from .training_display import attended, show_dry_run, supervised


@dataclass(frozen=True)
class FitRequest:
    """The options of one call of ``fit``, and the processes that share it; defaults as there."""

    config: Path | None
    overrides: list[str] | None = None
    resume: Path | None = None
    branch: str | None = None
    allow_config_change: list[str] | None = None
    weights: Path | None = None
    new_head: bool = False
    device: str = "auto"
    seed: int | None = None
    name: str | None = None
    run_root: Path = Path("runs")
    data_dir: Path | None = None
    data_root: Path | None = None
    offline: bool = False
    verify_data: bool = False
    limit_batches: int | None = None
    deterministic: bool = False
    dry_run: bool = False
    sanity: bool = False
    as_json: bool = False
    world: World = ALONE
    is_one_of_many: bool = False
    """Whether its plan and its result are shown by who asks for it: a sweep."""

    @cached_property
    def text(self) -> str:
        """The config file's text: the first process reads it (standard input serves once)."""
        assert self.config is not None
        text = read_text(self.config) if self.world.is_first else None
        return str(self.world.tell("config", text))

    @property
    def run_name(self) -> str:
        """What the run is called: ``--branch``, ``--name``, or the config file's name."""
        if self.branch is not None:
            return self.branch
        assert self.config is not None
        return self.name or ("stdin" if str(self.config) == "-" else self.config.stem)

    @property
    def changes(self) -> list[str]:
        """What is set on the command line: every ``--set``, and ``--seed``."""
        return [*(self.overrides or []), *([] if self.seed is None else [f"seed={self.seed}"])]

    def load_settings(self) -> ExperimentConfig:
        """Return the settings asked for, with paths that mean the same from every directory."""
        assert self.config is not None
        experiment = load_settings(self.config, self.changes, self.text)
        for warning in experiment.warnings():
            warn(warning)
        return experiment.model_copy(update={"data": experiment.data.located()})

    def job(
        self,
        load_settings: Callable[[], ExperimentConfig],
        limit_batches: int | None,
        fill_in: Callable[[Session], None],
    ) -> Job:
        """Return the job of a run; where it computes and reads images is the same for all."""
        access = make_data_access(self.data_dir, self.offline, verify=self.verify_data)
        return Job(
            load_settings,
            lambda data: load_images(data.moved_to(self.data_root), access, self.world),
            self.device,
            limit_batches,
            self.deterministic,
            self.world,
            fill_in,
        )

    def refuse(self, options: str, reason: str) -> None:
        """Raise UsageError where one of these options is given, which would have no effect."""
        for option in options.split():
            if getattr(self, option.removeprefix("--").replace("-", "_")):
                raise UsageError(f"{option} {reason}")

    def supervise(
        self, session: Session, run: RunDirectory, **shown: Any
    ) -> AbstractContextManager[Supervision]:
        """Watch over a training; show its plan and its result too, unless it is one of many.

        ``shown``: what :func:`supervised` takes beside the request's own options.
        """
        if self.is_one_of_many:
            return attended(session, run)
        return supervised(session, run, self.as_json, data_dir=self.data_dir, **shown)


def start(request: FitRequest) -> Generator[tuple[Session, EpochRecord]]:
    """Begin a new run and train it to its end; yield as :func:`train_job` does."""
    if request.config is None:
        raise UsageError("fit needs --config CONFIG, or --resume RUN")
    if request.resume is None:
        request.refuse("--allow-config-change --data-root", "goes with --resume")
    if request.weights is None:
        request.refuse("--new-head", "goes with --weights")
    weights = Weights.read(find_checkpoint(request.weights)) if request.weights else None
    origin: dict[str, str] = {}

    def start_weights(session: Session) -> None:
        found = fill_in(
            session,
            weights,
            new_head=request.new_head,
            offline=request.offline,
            notice=notice,
            warn=warn,
        )
        origin.update(found)

    job = request.job(request.load_settings, request.limit_batches, start_weights)
    if request.dry_run:
        session = load_session(job)
        findings = show_sanity(session, starts_anew=not origin) if request.sanity else []
        show_dry_run(session, as_json=request.as_json, findings=findings)
        return

    @contextmanager
    def supervise(session: Session) -> Iterator[Supervision]:
        anew = not origin
        findings = show_sanity(session, starts_anew=anew) if request.sanity else []
        run = create_run(session, request, origin, request.text.encode())
        training = request.supervise(session, run, findings=findings, starts_anew=anew)
        with locked(run, request.world), training as started:
            yield started

    yield from train_job(job, supervise)


@contextmanager
def locked(run: RunDirectory, world: World) -> Iterator[None]:
    """Lock the run in the first process; the others wait until it is locked."""
    with run.locked() if world.is_first else nullcontext():
        world.meet("the run directory is locked")
        yield


def create_run(
    session: Session, request: FitRequest, origin: dict[str, str], given_config: bytes
) -> RunDirectory:
    """Make the run directory; write down what was asked for, what is in force, and where.

    The first process does; the others learn where it is. ``origin`` is that of the first weights.
    ``given_config``: as the user wrote it.
    """
    world = session.world
    if not world.is_first:
        return RunDirectory(Path(world.tell("run directory")))
    run = RunDirectory.create(request.run_root, request.run_name)
    environment = {
        **describe_environment(session.device, world),
        "device_reason": session.device.reason,
        "precision": session.precision.name,
        "precision_reason": session.precision.reason,
        **origin,
    }
    save_json(run.environment, environment)
    write_atomically(run.given_config, given_config)
    record_settings(session, run)
    world.tell("run directory", str(run.path))
    return run


def record_settings(session: Session, run: RunDirectory) -> None:
    """Write down every setting that is in force."""
    write_anew(run.resolved_config, render_yaml(session.config).encode())
