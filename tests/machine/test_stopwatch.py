import time

import pytest
import torch

from cnn_train.machine.stopwatch import now


def test_the_time_goes_by_as_elsewhere() -> None:
    cpu = torch.device("cpu")
    before = now(cpu)
    time.sleep(0.01)
    assert now(cpu) - before >= 0.01


def test_a_gpus_queue_is_waited_for_first(monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    gpu = torch.device("cuda:0")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: events.append(device))
    monkeypatch.setattr(time, "perf_counter", lambda: events.append("time") or 1.0)
    assert now(gpu) == 1.0
    assert events == [gpu, "time"]
