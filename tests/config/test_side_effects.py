"""What overrides do to settings that they do not name: dropped, or carried over."""

import pytest

from cnn_train.config.loading import load_experiment

SGD = "optimizer: {name: sgd, lr: 0.5, momentum: 0.5}"


@pytest.fixture
def warnings(experiment_type):
    def heard(text, *overrides):
        messages = []
        load_experiment("c.yaml", overrides, experiment_type, text=text, warn=messages.append)
        return messages

    return heard


def test_a_replaced_section_names_each_setting_of_the_file_that_is_another_one_now(warnings):
    assert warnings(SGD, "optimizer={name: sgd, momentum: 0}") == [
        "--set optimizer={name: sgd, momentum: 0}: replaces the section and drops the file's "
        "lr: 0.5 (now 0.1); --set optimizer.KEY=VALUE changes one setting alone"
    ]


def test_another_component_drops_in_silence_what_it_does_not_know(warnings):
    (message,) = warnings(SGD, "optimizer={name: adamw}")
    assert "lr: 0.5 (now 0.001)" in message
    assert "momentum" not in message


@pytest.mark.parametrize(
    "overrides",
    [
        ["optimizer={name: sgd, lr: 0.2, momentum: 0.5}"],
        ["optimizer={name: sgd, momentum: 0.5}", "optimizer.lr=0.5"],
        ["optimizer.momentum=0"],
        ["model={name: lenet}"],
        ["seed=3"],
    ],
)
def test_nothing_is_said_where_nothing_is_lost(warnings, overrides):
    assert warnings(SGD, *overrides) == []


def test_a_dropped_setting_that_is_the_default_is_not_lost(warnings):
    text = "optimizer: {name: adamw, lr: 1.0e-3, betas: [0.9, 0.999]}"
    assert warnings(text, "optimizer={name: adamw}") == []


def test_a_new_name_alone_names_the_settings_that_were_chosen_for_the_old_component(warnings):
    text = "optimizer: {name: sgd, lr: 0.5}"
    assert warnings(text, "optimizer.name=adamw") == [
        "--set optimizer.name=adamw: keeps the file's lr: 0.5 (adamw's default: 0.001)"
    ]
    assert warnings("optimizer: {lr: 0.5}", "optimizer.name=adamw")  # sgd by default
    assert warnings(text, "optimizer.name=adamw", "optimizer.lr=0.01") == []


def test_names_that_share_their_defaults_are_changed_in_silence(warnings):
    assert warnings("model: {name: vgg11, batch_norm: false}", "model.name=vgg16") == []
