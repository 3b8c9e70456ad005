"""One network trained by several processes: each takes its part of every minibatch.

With one process, nothing is wrapped, checked or reseeded.
"""

from collections.abc import Iterable, Iterator
from inspect import signature
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..data.batches import Batch, Slice
from ..data.image_set import ImageSet
from ..errors import ConfigError, DataError, UsageError, counted
from ..machine.device import Device, resolve_device
from ..machine.processes import World
from ..models.synchronized_batch_norm import synchronize_batch_norm
from ..random_streams import seed_global_generators

# Running statistics are shared only before validation, not at every minibatch.
_names = signature(DistributedDataParallel).parameters
KEEP_BUFFERS: dict[str, Any] = {
    "forward_sync_buffers" if "forward_sync_buffers" in _names else "broadcast_buffers": False
}


def device_of(world: World, request: str) -> Device:
    """Resolve ``--device`` for this process: on GPUs each process has its own, by local rank.

    Raises UsageError where the machine has too few, or where one GPU is asked for by number.
    """
    if world.size > 1 and request.startswith(("cuda:", "mps")):
        raise UsageError(
            f"--device {request}: {world.size} processes cannot share it; use cuda, cpu or auto"
        )
    device = resolve_device(request)
    if world.size == 1:
        return device
    if device.torch_device.type == "mps":  # chosen by auto
        device = Device(torch.device("cpu"), "several processes cannot share the Apple GPU")
    if device.torch_device.type == "cpu":
        return device
    if world.local_rank >= torch.cuda.device_count():
        raise UsageError(
            f"process {world.rank} has no GPU of its own: this machine has "
            f"{torch.cuda.device_count()}; start fewer processes, or use --device cpu"
        )
    torch.cuda.set_device(world.local_rank)
    reason = f"{device.reason}; each process has its own"
    return Device(torch.device("cuda", world.local_rank), reason)


def spread(model: nn.Module, device: Device, world: World, *, sync_batch_norm: bool) -> nn.Module:
    """Return the network as training should call it: gradients become means over all processes.

    ``model`` itself keeps its weights and their names; all processes get the first one's.
    """
    if world.size == 1:
        return model
    if sync_batch_norm:
        synchronize_batch_norm(model)
    where = device.torch_device
    device_ids = [where.index] if where.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=device_ids, **KEEP_BUFFERS)


def check_parts(
    plan: Iterable[Slice], model: nn.Module, world: World, *, sync_batch_norm: bool
) -> None:
    """Refuse minibatches that leave a process without an image, or batch norm with one only."""
    if world.size == 1:
        return
    smallest = min(piece.stop - piece.start for piece in plan)
    if smallest < world.size:
        raise ConfigError(
            f"batch_size: the smallest minibatch of an epoch has {counted(smallest, 'image')}, "
            f"too few for {world.size} processes; change batch_size or start fewer processes"
        )
    has_batch_norm = any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    if has_batch_norm and not sync_batch_norm and smallest < 2 * world.size:
        raise ConfigError(
            f"batch_size: the smallest minibatch of an epoch has {counted(smallest, 'image')}, "
            "which leaves the batch norm of a process a single one; change batch_size, start fewer "
            f"than {world.size} processes, or set sync_batch_norm: true"
        )


def check_same_images(train: ImageSet, val: ImageSet, world: World) -> None:
    """Refuse to train on different images in different processes; DataError."""
    if world.size == 1:
        return
    own = [train.fingerprint(), val.fingerprint()]
    if own != world.tell("fingerprints", own):
        raise DataError(
            f"process {world.rank} has other images than process 0; give every machine the same "
            "files and the same command"
        )


def with_own_dropout(
    batches: Iterator[Batch], world: World, seed: int, epoch: int, first: int
) -> Iterator[Batch]:
    """Give each of several processes its own dropout: by (seed, epoch, position, rank).

    A single process draws from one stream per epoch, and a checkpoint holds the stream's state. It
    cannot hold the states of all processes, so with several each minibatch starts a new stream.
    """
    for position, batch in enumerate(batches, start=first):
        if world.size > 1:
            seed_global_generators(seed, "dropout", epoch, position, world.rank)
        yield batch
