import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch

from cnn_train.session import Session

NET = {"name": "fastnet", "widths": [4, 4], "extra_convolutions": [0, 0], "pools": [2, 2]}


def train(session: Session) -> dict[str, Any]:
    for _ in session.train_rest_of_epoch():
        pass
    return session.checkpoint().model


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")
def test_a_compiled_network_learns_the_same_and_keeps_its_names(
    start: Callable[..., Session],
) -> None:
    compiled = train(start(model=NET, compile=True))
    eager = train(start(model=NET))
    assert compiled.keys() == eager.keys()
    for name, value in eager.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-4)


def test_without_an_accelerator_to_speed_up_nothing_but_memory_is_touched(
    start: Callable[..., Session],
) -> None:
    once, again = train(start(model=NET)), train(start(model=NET))
    assert all(torch.equal(once[name], value) for name, value in again.items())
