"""Shared fixtures; tests never use the network, an accelerator or data from outside the tree."""

import functools
import ipaddress
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:  # the fixtures import what they need: many tests need no torch
    from chromium import Browser
    from pretended_gpu import PretendedGpu
    from torture_campaign.children import Child, ForkServer

    from cnn_train.data.image_set import ImageSet
    from cnn_train.experiment import ExperimentConfig
    from cnn_train.machine.device import Device
    from cnn_train.training.session import Session

# The same examples in each run, however slow; --hypothesis-profile default draws new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# A shell's background job ignores Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What a terminal, or a user's own habits, would otherwise bring into the tests.
PERSONAL_VARIABLES = ("CNN_TRAIN_DATA", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS")


@pytest.fixture(autouse=True)
def impersonal_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PERSONAL_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True, scope="session")
def only_loopback() -> Iterator[None]:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
            raise OSError(f"tests use no network, but something connects to {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_to_loopback)
        yield


@pytest.fixture(autouse=True, scope="session")
def commands_built_once() -> Iterator[None]:
    """Keep the tree of commands, which Typer builds for each call: that takes ten times a call."""
    import typer.main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        yield


def is_loopback(host: str) -> bool:
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


@pytest.fixture
def cpu() -> "Device":
    import torch

    from cnn_train.machine.device import Device

    return Device(torch.device("cpu"), "as requested")


@pytest.fixture
def gpu() -> "Iterator[PretendedGpu]":
    """Compute with a GPU that is not there; see tests/support/pretended_gpu.py."""
    from pretended_gpu import pretended_gpu

    with pretended_gpu() as mode:
        yield mode


@pytest.fixture
def make_images() -> "Callable[..., ImageSet]":
    """Make noise whose brightness tells its class: easy enough to be learned in a few steps."""
    import torch

    from cnn_train.data.image_set import ImageSet

    def make(
        num_examples: int = 30,
        num_classes: int = 3,
        shape: tuple[int, int, int] = (3, 8, 8),
        seed: int = 0,
    ) -> ImageSet:
        generator = torch.Generator().manual_seed(seed)
        labels_N = torch.arange(num_examples) % num_classes
        noise_NCHW = torch.randint(0, 100, (num_examples, *shape), generator=generator)
        brightness_N = labels_N * (150 // num_classes)
        return ImageSet(
            (noise_NCHW + brightness_N[:, None, None, None]).to(torch.uint8),
            labels_N,
            tuple(f"class {label}" for label in range(num_classes)),
            tuple(f"image {i}" for i in range(num_examples)),
        )

    return make


@pytest.fixture
def make_config() -> "Callable[..., ExperimentConfig]":
    """Make the config of a run that takes a moment; keyword arguments replace whole sections."""
    from cnn_train.experiment import ExperimentConfig

    def make(**sections: Any) -> ExperimentConfig:
        tiny = {
            "model": {"name": "mlp", "hidden_sizes": [8]},
            "optimizer": {"name": "sgd", "lr": 0.05},
            "augment": {"flip": "random", "translate": 1, "cutout": 2},
            "batch_size": 8,
            "epochs": 2,
            "precision": "float32",
        }
        return ExperimentConfig.model_validate(tiny | sections)

    return make


@pytest.fixture
def start(
    make_config: "Callable[..., ExperimentConfig]",
    make_images: "Callable[..., ImageSet]",
    cpu: "Device",
) -> "Callable[..., Session]":
    """Build the session of a tiny run: 32 images in minibatches of 8, three classes."""
    from cnn_train.training.building import build_session

    def build(limit_batches: int | None = None, **sections: Any) -> "Session":
        train, val = make_images(32), make_images(12, seed=1)
        return build_session(make_config(**sections), train, val, cpu, limit_batches)

    return build


@pytest.fixture
def multiplies_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``precision: auto`` mean bfloat16 on any processor."""
    monkeypatch.setattr("cnn_train.machine.device._cpu_bfloat16_unit", lambda: "AVX512-BF16")


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the learning curves, which take longer than the training."""
    monkeypatch.setattr("cnn_train.training.run_files.RunFiles.save_curves", lambda files: None)


@pytest.fixture
def run_script(tmp_path: Path) -> "Callable[..., subprocess.CompletedProcess[str]]":
    """Return a function that runs a package of ``scripts/`` as a program in ``tmp_path``."""
    repository = Path(__file__).parents[1]

    def run(package: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join([str(repository), str(repository / "scripts")])
        return subprocess.run(
            [sys.executable, "-m", package, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Browser]":
    """A browser with a new, empty profile; skips where there is none."""
    from chromium import Browser, find_browser

    window = Browser(find_browser(), tmp_path_factory.mktemp("browser"))
    yield window
    window.quit()


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[ForkServer]":
    """Return what forks processes of ``cnn-train`` that have imported everything already."""
    from torture_campaign.children import fork_server

    with pytest.MonkeyPatch.context() as patch:
        for name in PERSONAL_VARIABLES:
            patch.delenv(name, raising=False)
        with fork_server(tmp_path_factory.mktemp("children")) as server:
            yield server


@pytest.fixture
def start_command(fork_server: "ForkServer") -> "Iterator[Callable[..., Child]]":
    """Return a function that starts ``cnn-train ARGUMENTS`` in a forked process of its own.

    disturb: a function to call in it first, as the fork server finds it (``/path/file.py:name``).
    Other keyword arguments are environment variables.
    """
    commands, started = "torture_campaign.commands", []

    def start(*arguments: object, cwd: Path, disturb: str = "", **variables: str) -> "Child":
        disturbances = [{"call": f"{commands}:set_environment", "arguments": variables}]
        if disturb:
            disturbances.append({"call": disturb, "arguments": {}})
        told = {"arguments": list(map(str, arguments)), "disturbances": disturbances}
        started.append(fork_server.start(f"{commands}:run_command", told, cwd))
        return started[-1]

    yield start
    for child in started:
        child.leaves_orphans()


@pytest.fixture(scope="session")
def invite_processes() -> "Callable[[int], list[dict[str, str]]]":
    """Return a function that makes the environment of each of some processes, as torchrun does.

    The store that torchrun's agent would hold is held here, on a port that the system chose.
    """
    from datetime import timedelta

    from torch.distributed import TCPStore

    stores = []

    def invite(number: int) -> list[dict[str, str]]:
        store = TCPStore(
            "127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(minutes=1)
        )
        stores.append(store)
        common = {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": str(number),
            "TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0",
            "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1]),
        }  # fmt: skip
        return [common | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(number)]

    return invite


@pytest.fixture(scope="session")
def start_processes(
    invite_processes: "Callable[[int], list[dict[str, str]]]",
) -> "Iterator[Callable[..., list[subprocess.Popen[str]]]]":
    """Return a function that starts ``python ARGUMENTS`` twice, as torchrun would start it."""
    started = []

    def start(*arguments: object, cwd: Path, number: int = 2) -> "list[subprocess.Popen[str]]":
        processes = [
            subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                env=os.environ | environment,
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for environment in invite_processes(number)
        ]
        started.extend(processes)
        return processes

    yield start
    for process in started:
        process.kill()
        process.communicate()
