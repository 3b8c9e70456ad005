from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_train.config.explain import explain, render_yaml
from cnn_train.config.loading import load_experiment

PROBABILITIES = st.floats(0, 1, exclude_max=True)
POSITIVE = st.floats(0, 1e300, exclude_min=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "data": st.fixed_dictionaries({"name": st.just("folder"), "root": TEXT}),
        "model": st.fixed_dictionaries({"name": st.sampled_from(["vgg11", "vgg16"])})
        | st.fixed_dictionaries({"name": st.just("lenet"), "dropout": PROBABILITIES}),
        "optimizer": st.fixed_dictionaries({"lr": POSITIVE, "momentum": PROBABILITIES})
        | st.fixed_dictionaries(
            {"name": st.just("adamw"), "betas": st.tuples(PROBABILITIES, PROBABILITIES)}
        ),
        "milestones": st.lists(st.integers(), max_size=4),
        "ema_decay": st.none() | st.floats(1e-300, 0.999),
        "warmup": st.just("auto") | st.integers(),
        "note": TEXT,
    },
)


@settings(deadline=None, max_examples=60)
@given(tree=SETTINGS)
@pytest.mark.parametrize("render", [render_yaml, explain])
def test_what_is_written_loads_back_to_an_equal_experiment(
    render: Any, experiment_type: Any, tree: dict[str, Any]
) -> None:
    experiment = experiment_type.model_validate(tree)
    text = render(experiment)
    assert load_experiment("c.yaml", (), experiment_type, text=text) == experiment


def test_every_setting_is_explained_in_one_column(experiment_type: Any) -> None:
    lines = explain(experiment_type()).splitlines()
    assert lines[5:10] == [
        "optimizer:          # rule that updates the weights",
        "  name: sgd         # stochastic gradient descent",
        "  lr: 0.1           # learning rate, > 0",
        "  momentum: 0.9     # velocity kept, in [0, 1)",
        "  nesterov: false   # look ahead along the velocity",
    ]
    assert all(line.index("#") == 20 for line in lines)


def test_a_long_value_moves_only_its_own_comment(experiment_type: Any) -> None:
    lines = explain(experiment_type.model_validate({"note": "x" * 70})).splitlines()
    assert {line.index("#") for line in lines[:-1]} == {20}
    assert lines[-1] == f"note: {'x' * 70}  # free text"


@pytest.mark.parametrize("width", [40, 60, 80])
def test_in_a_window_comments_go_on_below_and_nothing_is_lost(
    experiment_type: Any, width: int
) -> None:
    experiment = experiment_type.model_validate({"note": "x" * 30, "milestones": [1, 2, 3, 4, 5]})
    text = explain(experiment, width)
    assert max(map(len, text.splitlines())) <= width
    assert load_experiment("c.yaml", (), experiment_type, text=text) == experiment
    words = [
        [word for line in one.splitlines() for word in line.partition("#")[2].split()]
        for one in (explain(experiment), text)
    ]
    assert words[0] == words[1]


def test_in_a_narrow_window_a_long_value_has_its_comment_below(experiment_type: Any) -> None:
    lines = explain(experiment_type.model_validate({"note": "x" * 25}), 40).splitlines()
    assert lines[-2:] == [f"note: {'x' * 25}", f"{'':20}# free text"]


def test_the_plain_form_has_no_comments(experiment_type: Any) -> None:
    text = render_yaml(experiment_type.model_validate({"data": {"name": "folder", "root": "a b"}}))
    assert text.startswith('data:\n  name: folder\n  root: "a b"\nmodel:\n  name: vgg16\n')
    assert "#" not in text
