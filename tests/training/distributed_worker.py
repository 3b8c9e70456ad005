"""What one of several processes does for tests/test_data_parallel.py: jobs in, results out."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.data.batches import Batch
from cnn_train.errors import CnnTrainError
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.processes import ALONE, World, join
from cnn_train.metrics.tally import Tally
from cnn_train.models.synchronized_batch_norm import SynchronizedBatchNorm2d
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.building import build_session
from cnn_train.training.data_parallel import device_of, spread
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.loop import train_epoch
from cnn_train.training.resuming import resume_session
from cnn_train.training.session import Session


def start(job: dict[str, Any], world: World) -> Session:
    config = ExperimentConfig.model_validate(job["config"])
    device = device_of(world, job.get("device", "cpu"))
    return build_session(config, job["train"], job["val"], device, world=world)


def train(job: dict[str, Any], world: World) -> dict[str, Any]:
    """Run ``fit``, resumed from a run or asked to stop where the job says so."""
    session = start(job, world)
    run = RunDirectory(job["run"]) if "run" in job else None
    if job.get("resume"):
        resume_session(session, load_checkpoint(run.last_checkpoint))
    looks = iter(range(job.get("stop_after", 10**9) - 1))
    end = ""
    try:
        for _ in fit(session, Supervision(run, should_stop=lambda: next(looks, None) is None)):
            pass
    except CnnTrainError as stop:
        end = str(stop)
    return {
        "model": session.checkpoint().model,
        "averaged_model": session.checkpoint().averaged_model,
        "records": session.progress.records,
        "end": end,
        "step": session.progress.step,
    }


def collect_batches(job: dict[str, Any], world: World) -> dict[str, Any]:
    batches = list(start(job, world).batches.epoch(1))
    return {"images": [batch.images_BCHW for batch in batches],
            "labels": [batch.labels_B for batch in batches]}  # fmt: skip


def validate(job: dict[str, Any], world: World) -> dict[str, Any]:
    return vars(start(job, world).validate())


def train_in_float64(job: dict[str, Any], world: World) -> dict[str, Any]:
    """Run the loop on a float64 network: what rounding hides in float32 would show here."""
    session = start(job, ALONE)
    model = session.model.double()
    forward = spread(model, session.device, world, sync_batch_norm=True)
    batches = replace(session.batches, world=world).epoch(0)
    sums = Tally.zero()
    for tally in train_epoch(
        forward, session.loss_fn, session.penalty, session.optimizer, session.schedule,
        widened(batches), 0,
    ):  # fmt: skip
        sums += tally
    return {"model": model.state_dict(), "tally": vars(sums.over(world))}


def widened(batches: Iterator[Batch]) -> Iterator[Batch]:
    for batch in batches:
        yield replace(batch, images_BCHW=batch.images_BCHW.double())


def normalize(job: dict[str, Any], world: World) -> dict[str, Any]:
    """Pass this process's part through a synchronised batch norm, up and down."""
    layer = SynchronizedBatchNorm2d(job["x"].shape[1]).to(job["dtype"])
    layer.load_state_dict(job["state"])
    part = world.part(len(job["x"]))
    x_BCHW = job["x"][part.start : part.stop].clone().requires_grad_()
    y_BCHW = layer(x_BCHW)
    y_BCHW.backward(job["dy"][part.start : part.stop])
    gradients = [x_BCHW.grad, layer.weight.grad, layer.bias.grad]
    return {"y": y_BCHW.detach(), "gradients": gradients, "state": layer.state_dict()}


def talk(job: dict[str, Any], world: World) -> dict[str, Any]:
    shared = torch.full((2, 3, 2, 2), float(world.rank)).to(memory_format=torch.channels_last)
    world.share([shared])
    return {
        "sum": world.sum([1, 2.5, 2**53 - 1 if world.is_first else 0]),
        "largest": world.largest(-world.rank),
        "any": [world.any(world.rank == 1), world.any(False)],
        "told": world.tell("words", ["a", {"b": None}] if world.is_first else None),
        "shared": shared,
    }


JOBS = (train, collect_batches, validate, train_in_float64, normalize, talk)


def meet_at_once() -> None:
    """Let no process end before all are connected: forked ones come to an error in no time."""
    from cnn_train.cli.process import joined as processes

    def join_and_meet(notice: Callable[[str], None]) -> World:
        world = join(notice)
        world.meet("all connected")
        return world

    processes.join = join_and_meet


def main(jobs: str, results: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)  # torchrun's
    world = join()
    work = {function.__name__: function for function in JOBS}
    found = {
        name: work[job["kind"]](job, world)
        for name, job in torch.load(jobs, weights_only=False).items()
    }
    torch.save(found, Path(results) / f"{world.rank}.pt")
    world.leave()  # and with it this process
