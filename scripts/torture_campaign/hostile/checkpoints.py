"""Checkpoints that are well sealed and senseless: one field or more holds what it never should."""

import copy
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from . import Ground, Trial
from .sealing import read_fields, sealed, torch_zip

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch is going to drop them
    QUANTISED = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8)
JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63 - 1, 10**5000, 0.5, math.nan, math.inf, -math.inf, 1j, "",
    "a" * 1000, "\ud800", "\x1b[2J", b"bytes", [], {}, (), (1, 2), {1, 2}, [[]], {"a": {}},
    {(1, 2): 3}, [None], [math.nan], torch.zeros(()), torch.zeros(0), torch.ones(3, 3),
    torch.full((4,), math.nan), torch.zeros(2, dtype=torch.complex64), torch.eye(2).to_sparse(),
    QUANTISED, torch.empty(3, device="meta"), torch.zeros(1).expand(2**31),
    torch.ones(2, requires_grad=True),
)  # fmt: skip


def trials(ground: Ground, number: int) -> Iterator[Trial]:
    """Replace one field by junk, then parts anywhere in the tree."""
    good = read_fields(ground.run / "best.ckpt")
    image = ground.folder / "image.png"
    Image.new("RGB", (16, 16), "red").save(image)
    for i, (what, fields) in enumerate(_spoilt(ground, good)):
        if 2 * i >= max(number, 2 * len(NAMED)):
            return
        path = ground.folder / str(i) / "last.ckpt"
        path.parent.mkdir()
        try:
            path.write_bytes(sealed(torch_zip(fields)))
        except (RuntimeError, NotImplementedError):  # torch cannot write it
            continue
        for command in (ground.dice.choice(COMMANDS), TRAIN):
            yield Trial(f"{i} {what}: {command[:2]}", _fill_in(command, path, image))


COMMANDS: tuple[tuple[object, ...], ...] = (
    ("checkpoint", "show", Path), ("checkpoint", "show", Path, "--json"),
    ("checkpoint", "verify", Path, "--json"),
    ("checkpoint", "export-weights", Path, "--force", "--out", "w.safetensors"),
    ("predict", Image, "--checkpoint", Path, "--json"), ("evaluate", Path, "--json"),
)  # fmt: skip
TRAIN: tuple[object, ...] = (
    "fit", "--resume", Path, "--set", "epochs=9", "--allow-config-change", "epochs",
    "--limit-batches", "1", "--allow-config-change", "limit_batches",
)  # fmt: skip


def _fill_in(command: tuple[object, ...], path: Path, image: Path) -> list[object]:
    """Put the files where their types stand."""
    places: dict[object, object] = {Path: path, Image: image}
    out = {"w.safetensors": path.with_suffix(".safetensors")}
    return [places.get(word, out.get(str(word), word)) for word in command]


def _itself(fields: dict[str, Any]) -> None:
    fields["config"]["model"]["itself"] = fields["config"]


def _deep(fields: dict[str, Any]) -> None:
    for _ in range(5000):
        fields["config"]["optimizer"] = {"x": fields["config"]["optimizer"]}


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(fields: dict[str, Any]) -> None:
        holder: Any = fields
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = to

    return change


def _drop_class(fields: dict[str, Any]) -> None:
    fields["class_names"].pop()


def _huge_weights(fields: dict[str, Any]) -> None:
    for value in fields["model"].values():
        if value.is_floating_point():
            value.fill_(3e38)


def _wrong_states(fields: dict[str, Any]) -> None:
    for state in fields["optimizer"]["state"].values():
        for name in state:
            state[name] = torch.ones(5)


def _wrong_groups(fields: dict[str, Any]) -> None:
    fields["optimizer"]["param_groups"] *= 2


def _other_states(fields: dict[str, Any]) -> None:
    for state in fields["optimizer"]["state"].values():
        state["another"] = state.popitem()[1]


NAMED: dict[str, Callable[[dict[str, Any]], None]] = {
    "nan in mean": _set("normalization", "mean", to=[math.nan] * 3),
    "inf in std": _set("normalization", "std", to=[math.inf] * 3),
    "std of zero": _set("normalization", "std", to=[0.0] * 3),
    "nan in a record": _set("records", 0, "val_accuracy", to=math.nan),
    "nan in a tally": _set("partial_tally", "loss_sum", to=torch.tensor(math.nan)),
    "a config that holds itself": _itself,
    "a config 5,000 levels deep": _deep,
    "a tensor in the config": _set("config", "seed", to=torch.ones(3)),
    "a set in the config": _set("config", "seed", to={1}),
    "a tuple as key": _set("config", (1, 2), to=3),  # type: ignore[arg-type]
    "another model": _set("config", "model", to={"name": "resnet18"}),
    "a large model": _set(
        "config", "model", to={"name": "torchvision", "architecture": "wide_resnet101_2"}
    ),
    "one class name too few": _drop_class,
    "no environment": _set("environment", to={}),
    "a position beyond the epoch": _set("position", to=10**6),
    "an epoch beyond the run": _set("epoch", to=10**6),
    "a short generator state": _set("generators", "cpu", to=torch.zeros(7, dtype=torch.uint8)),
    "a generator state of zeros": _set(
        "generators", "cpu", to=torch.zeros(5056, dtype=torch.uint8)
    ),
    "huge weights": _huge_weights,
    "optimizer states of other shapes": _wrong_states,
    "optimizer states of other names": _other_states,
    "optimizer groups twice": _wrong_groups,
    "no optimizer": _set("optimizer", to={}),
    "an image of a million pixels a side": _set("image_shape", to=[3, 10**6, 10**6]),
}


def _spoilt(ground: Ground, good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what was done to the fields, and the fields; without end."""
    for what, change in NAMED.items():
        fields = copy.deepcopy(good)
        change(fields)
        yield what, fields
    while True:
        fields = copy.deepcopy(good)
        done = []
        for _ in range(ground.dice.choice((1, 1, 2))):
            path, holder, key = _random_place(ground, fields)
            junk = ground.dice.choice(JUNK)
            if ground.dice.random() < 0.15:
                del holder[key]
                done.append(f"{path} gone")
            else:
                holder[key] = junk
                done.append(f"{path} = {_describe(junk)}")
        yield ", ".join(done), fields


def _random_place(ground: Ground, fields: dict[str, Any]) -> tuple[str, Any, Any]:
    """Walk down the tree at random; return a path, the container there and a key of it."""
    holder: Any = fields
    path = []
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = ground.dice.choice(keys)
        path.append(str(key))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or ground.dice.random() < 0.2:
            return ".".join(path), holder, key
        holder = inner


def _describe(junk: Any) -> str:
    if isinstance(junk, Tensor):
        return f"a tensor of {tuple(junk.shape)}, {junk.dtype}, {junk.layout}, {junk.device}"
    if isinstance(junk, int) and abs(junk) > 2**64:
        return "an int of 5,000 digits"
    return ascii(junk)[:30]
