from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cnn_train.errors import UsageError
from cnn_train.playground.open_pages import MOST_EXPERIMENTS, MOST_STEPS, OpenPages


@pytest.fixture
def pages() -> OpenPages:
    return OpenPages()


def test_each_page_drives_its_own_experiment(pages: OpenPages) -> None:
    first, second = (pages.start({"address": "dataset=gauss"})["experiment"] for _ in range(2))
    pages.advance({"experiment": first, "steps": 3})
    assert pages.advance({"experiment": first, "steps": 1})["step"] == 4
    assert pages.advance({"experiment": second, "steps": 0})["step"] == 0


def test_the_page_that_was_silent_longest_makes_room(pages: OpenPages) -> None:
    first, second = (pages.start({"address": ""})["experiment"] for _ in range(2))
    pages.advance({"experiment": first, "steps": 0})
    for _ in range(MOST_EXPERIMENTS - 1):
        pages.start({"address": ""})
    assert pages.advance({"experiment": first, "steps": 1})["step"] == 1
    with pytest.raises(UsageError, match="its experiment is gone; press Reset"):
        pages.advance({"experiment": second, "steps": 1})


def test_a_page_that_starts_again_and_again_pushes_no_other_page_out(pages: OpenPages) -> None:
    other = pages.start({"address": ""})["experiment"]
    last = None
    for _ in range(2 * MOST_EXPERIMENTS):
        last = pages.start({"address": "", "replaced": last})["experiment"]
    for number in (other, last):
        assert pages.advance({"experiment": number, "steps": 1})["step"] == 1
    with pytest.raises(UsageError, match="replaced"):
        pages.start({"address": "", "replaced": "all"})


def test_divergence_is_a_state_and_no_error(pages: OpenPages) -> None:
    address = "features=x1x1,x2x2&hidden=8,8,8,8,8,8&activation=linear&learning_rate=10"
    number = pages.start({"address": address})["experiment"]
    states = [pages.advance({"experiment": number, "steps": MOST_STEPS}) for _ in range(2)]
    assert "is not finite" in states[0]["problem"]
    assert states[0]["step"] == states[1]["step"]


@pytest.mark.parametrize(
    "asked",
    [
        {"steps": 1}, {"experiment": "1", "steps": 1}, {"experiment": 1, "steps": -1},
        {"experiment": 1, "steps": MOST_STEPS + 1}, {"experiment": 1, "steps": True},
        {"experiment": 1, "steps": 1.0}, {"experiment": 1, "steps": 1, "place": 3},
        {"experiment": 1, "steps": 1, "place": {"layer": 0, "unit": -1, "source": 0}},
        {"experiment": 1, "steps": 1, "place": {"layer": 0}},
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(pages: OpenPages, asked: dict[str, Any]) -> None:
    pages.start({"address": ""})
    with pytest.raises(UsageError):
        pages.advance(asked)
    assert pages.advance({"experiment": 1, "steps": 0})["step"] == 0


def test_pages_that_start_at_the_same_moment_get_the_weights_of_their_seed(
    pages: OpenPages,
) -> None:
    asked = {"address": "hidden=8,8,8,8,8,8&seed=4"}
    expected = pages.start(asked)["state"]["weights"]
    with ThreadPoolExecutor(8) as pool:
        states = [answer["state"] for answer in pool.map(pages.start, 24 * [asked])]
    assert [state["weights"] == expected for state in states] == 24 * [True]
