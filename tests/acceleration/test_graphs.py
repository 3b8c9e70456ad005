"""Recordings, where no GPU is: what torch records is pretended, what it is asked for is checked."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnn_train.acceleration.graphs import replay
from cnn_train.errors import ConfigError


class Recorder:
    """Torch's part: tries the passes three times, and afterwards repeats what it has recorded."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.num_replays = 0

    def __call__(
        self, network: nn.Module, images: tuple[Tensor], **options: Any
    ) -> Callable[[Tensor], Tensor]:
        assert options == {"allow_unused_input": True, "pool": "the pool"}
        assert len(list(network.parameters())) == 4, "gradients of these alone are recorded"
        self.shapes.append(tuple(images[0].shape))
        for _ in range(3):
            network(*images)

        def replayed(images_BCHW: Tensor) -> Tensor:
            self.num_replays += 1
            scores_BK: Tensor = network(images_BCHW)
            return scores_BK

        return replayed


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr("torch.cuda.make_graphed_callables", recorder)
    monkeypatch.setattr("torch.cuda.graph_pool_handle", lambda: "the pool")
    monkeypatch.setattr("torch.cuda.get_rng_state", lambda device: torch.get_rng_state())
    monkeypatch.setattr(
        "torch.cuda.set_rng_state", lambda state, device: torch.set_rng_state(state)
    )
    return recorder


@pytest.fixture
def network() -> nn.Module:
    layers = (nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(*layers, nn.Flatten())


def test_each_shape_is_recorded_once_and_replayed(recorder: Recorder, network: nn.Module) -> None:
    forward = replay(network, network)
    for side_px in (4, 4, 6, 4):
        forward(torch.rand(3, 1, side_px, side_px))
    assert recorder.shapes == [(3, 1, 4, 4), (3, 1, 6, 6)]
    assert recorder.num_replays == 4


def test_recording_leaves_statistics_and_random_numbers_as_they_were(
    recorder: Recorder, network: nn.Module
) -> None:
    images_BCHW = torch.rand(8, 1, 4, 4)
    torch.manual_seed(0)
    expected = network(images_BCHW)
    statistics = [buffer.clone() for buffer in network.buffers()]
    network[1].reset_running_stats()  # type: ignore[operator]
    torch.manual_seed(0)
    assert torch.equal(replay(network, network)(images_BCHW), expected)
    for buffer, right in zip(network.buffers(), statistics, strict=True):
        assert torch.equal(buffer, right)


def test_nothing_is_replayed_in_evaluation_or_without_gradients(
    recorder: Recorder, network: nn.Module
) -> None:
    forward = replay(network, network)
    with torch.no_grad():
        forward(torch.rand(3, 1, 4, 4))
    network.eval()
    forward(torch.rand(3, 1, 4, 4))
    assert recorder.shapes == []


def test_more_shapes_than_fit_are_computed_without_recordings(
    recorder: Recorder, network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnn_train.acceleration.graphs.MOST_RECORDINGS", 2)
    forward = replay(network, network)
    for batch_size in (2, 3, 4, 2):
        assert forward(torch.rand(batch_size, 1, 4, 4)).shape == (batch_size, 2)
    assert (len(recorder.shapes), recorder.num_replays) == (2, 3)


@pytest.mark.parametrize(
    ("problem", "raised"),
    [
        (RuntimeError("operation not permitted when stream is capturing"), ConfigError),
        (torch.OutOfMemoryError("CUDA out of memory"), torch.OutOfMemoryError),
        (RuntimeError("x does not have a deterministic implementation"), RuntimeError),
    ],
)
def test_a_network_that_cannot_be_recorded_is_named_with_what_to_set(
    recorder: Recorder,
    network: nn.Module,
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
    raised: type[Exception],
) -> None:
    def fail(*_: Any, **options: Any) -> None:
        raise problem

    monkeypatch.setattr("torch.cuda.make_graphed_callables", fail)
    with pytest.raises(raised) as found:
        replay(network, network)(torch.rand(3, 1, 4, 4))
    if raised is ConfigError:
        assert "cuda_graphs: this network cannot be recorded" in str(found.value)
    else:
        assert found.value is problem
