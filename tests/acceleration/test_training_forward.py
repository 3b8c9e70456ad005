import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from cnn_train.acceleration import forward
from cnn_train.acceleration.forward import compile_network, training_forward
from cnn_train.machine.device import Device
from cnn_train.training.session import Session

NET = {"name": "fastnet", "widths": [4], "extra_convolutions": [0], "pools": [2]}


def train(session: Session) -> dict[str, Any]:
    for _ in session.train_rest_of_epoch():
        pass
    return session.checkpoint().model


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
def test_a_compiled_network_learns_the_same_and_keeps_its_names(
    start: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    # To learn of vector units, torch compiles six programs, which take longer than the network.
    isa = "torch._inductor.cpu_vec_isa.valid_vec_isa_list"
    monkeypatch.setattr(isa, list, raising=False)
    few = {"model": NET, "limit_batches": 2}  # of one size: one program to compile
    compiled, eager = train(start(**few, compile=True)), train(start(**few))
    assert compiled.keys() == eager.keys()
    for name, value in eager.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
def test_growing_images_are_compiled_for_beyond_the_eight_shapes_that_torch_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graphs = []

    def compiler(graph: torch.fx.GraphModule, inputs: object) -> object:
        graphs.append(graph)
        return graph

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=compiler))
    monkeypatch.setattr("torch._dynamo.config.recompile_limit", 8)
    compiled = compile_network(nn.Sequential(nn.Conv2d(3, 2, 1)))
    for side in range(2, 14):
        compiled(torch.zeros(1, 3, side, side))
    assert len(graphs) == 12


@pytest.mark.parametrize(
    ("units", "has_bfloat16", "expected"),
    [("AVX2", False, True), ("AVX512", True, False), ("AVX512", False, False)],
)
def test_float32_takes_tiles_on_avx2_without_bfloat16_units_and_learns_the_same(
    units: str,
    has_bfloat16: bool,
    expected: bool,
    start: Callable[..., Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def saves_time(x_BCHW: torch.Tensor, weight_OCkk: torch.Tensor) -> bool:
        asked.append(weight_OCkk.shape)
        return True

    settings = {"model": NET, "limit_batches": 2, "precision": "float32"}
    monkeypatch.setattr(forward, "saves_time", lambda x, w: False)
    plain = train(start(**settings))
    monkeypatch.setattr(forward, "multiplies_bfloat16", lambda device: has_bfloat16)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: units)
    monkeypatch.setattr(forward, "saves_time", saves_time)
    tiled = train(start(**settings))
    assert bool(asked) == expected
    for name, value in plain.items():
        torch.testing.assert_close(tiled[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "place", "expected"),
    [
        ({"cuda_graphs": True}, "cuda", True),
        ({"cuda_graphs": True}, "cpu", False),
        ({}, "cuda", False),
        ({"cuda_graphs": True, "optimizer": {"name": "gd"}}, "cuda", False),  # gathers gradients
        ({"cuda_graphs": True, "data": {"name": "cifar10", "resident": "host"}}, "cuda", False),
    ],
)
def test_steps_are_replayed_on_a_gpu_where_each_minibatch_is_an_update(
    settings: dict[str, Any],
    place: str,
    expected: bool,
    start: Callable[..., Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replayed = []
    monkeypatch.setattr(forward, "replay", lambda network, forward: replayed.append(network))

    def ask(network: nn.Module, device: Device, *rest: Any, **options: Any) -> Any:
        return training_forward(network, Device(torch.device(place), ""), *rest, **options)

    monkeypatch.setattr("cnn_train.training.building.training_forward", ask)
    start(model=NET, **settings)
    assert bool(replayed) == expected
