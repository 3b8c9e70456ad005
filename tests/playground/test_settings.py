from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_train.errors import ConfigError
from cnn_train.losses import LOSSES
from cnn_train.losses.regularization import REGULARIZATIONS
from cnn_train.playground.network import ACTIVATIONS, FEATURE_SIGNS, FEATURES
from cnn_train.playground.settings import (
    SUGGESTED,
    Feature,
    PlaygroundSettings,
    read_address,
    resolve_settings,
    write_address,
)
from cnn_train.playground.toy_sets import TOY_SETS


def choices(field: str) -> tuple[str, ...]:
    return get_args(PlaygroundSettings.model_fields[field].annotation)


def numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


SETTINGS = st.builds(
    PlaygroundSettings,
    dataset=st.sampled_from(choices("dataset")),
    points=st.integers(20, 2000),
    noise=numbers(0, 1),
    train_fraction=numbers(0.1, 0.9),
    features=st.lists(st.sampled_from(get_args(Feature)), min_size=1, unique=True).map(tuple),
    hidden=st.lists(st.integers(1, 8), max_size=6).map(tuple),
    activation=st.sampled_from(choices("activation")),
    loss=st.sampled_from(choices("loss")),
    learning_rate=numbers(1e-9, 10),
    momentum=numbers(0, 0.99),
    regularization=st.sampled_from(choices("regularization")),
    strength=numbers(0, 1),
    batch_size=st.integers(1, 2000),
    seed=st.integers(0, 2**31 - 1),
)


@settings(deadline=None)
@given(SETTINGS)
def test_an_address_reads_back_as_the_settings_it_was_written_from(
    written: PlaygroundSettings,
) -> None:
    assert read_address(write_address(written), "#") == written


def test_an_address_is_readable() -> None:
    address = write_address(resolve_settings({"dataset": "spiral"}, "here"))
    assert address.startswith("dataset=spiral&points=500&noise=0.1&")
    assert "&features=x1,x2,sin_x1,sin_x2&hidden=8,8&" in address


def test_what_is_not_given_suits_the_toy_set() -> None:
    spiral = resolve_settings({"dataset": "spiral", "momentum": 0.5}, "here")
    assert (spiral.hidden, spiral.momentum) == ((8, 8), 0.5)
    assert read_address("", "#") == PlaygroundSettings()


def test_the_choices_are_those_that_are_built() -> None:
    assert choices("dataset") == tuple(TOY_SETS) == tuple(SUGGESTED)
    assert get_args(Feature) == tuple(FEATURES) == tuple(FEATURE_SIGNS)
    assert choices("activation") == tuple(ACTIVATIONS)
    assert set(choices("loss")) <= set(LOSSES)
    assert set(choices("regularization")) <= set(REGULARIZATIONS)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("dataset=spirall", "did you mean 'spiral'?"),
        ("dataset", "expected name=value"),
        ("seed=1&seed=2", "here: seed is given 2 times; give it once"),
        ("momentun=0.9", "did you mean 'momentum'?"),
        ("learning_rate=fast", 'learning_rate: "fast" is a string'),
        ("features=", "features: [] is too short; expected a list of at least 1"),
        ("features=x1,x1", "names a feature twice"),
        ("features=x1,x3", '"x3" is unknown'),
        ("hidden=8,9", "hidden[1]: 9 is out of range"),
        ("hidden=1,1,1,1,1,1,1", "is too long; expected a list of at most 6"),
    ],
)
def test_a_wrong_address_is_refused_in_one_line(address: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read_address(address, "here")
    (line,) = str(refusal.value).splitlines()
    assert line.startswith("here: ") and message in line


@pytest.mark.parametrize("value", [None, 3, ["spiral"]])
def test_a_toy_set_that_is_no_name_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="dataset"):
        resolve_settings({"dataset": value}, "here")
