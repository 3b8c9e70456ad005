from pathlib import Path
from typing import Any

import pytest

from cnn_train.config.loading import load_experiment, validate_settings
from cnn_train.errors import ConfigError


def test_defaults_yield_to_the_file_and_the_file_to_overrides(
    tmp_path: Path, experiment_type: Any
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("epochs: 7\nseed: 8\n")
    experiment = load_experiment(path, ["seed=9"], experiment_type)
    assert (experiment.batch_size, experiment.epochs, experiment.seed) == (128, 7, 9)


def test_an_override_may_open_a_section_without_naming_its_tag(experiment_type: Any) -> None:
    experiment = load_experiment("c.yaml", ["optimizer.lr=0.05"], experiment_type, text="")
    assert (experiment.optimizer.name, experiment.optimizer.lr) == ("sgd", 0.05)


def test_a_text_read_before_is_cited_by_its_file(experiment_type: Any) -> None:
    with pytest.raises(ConfigError, match=r"^<stdin>:1:9: epochs: "):
        load_experiment("-", (), experiment_type, text="epochs: 0")


def test_settings_that_never_were_text_are_cited_by_their_source(experiment_type: Any) -> None:
    settings = {"epochs": 3, "milestones": (1, 2)}
    assert validate_settings(settings, "train()", experiment_type).milestones == (1, 2)
    with pytest.raises(ConfigError) as caught:
        validate_settings(
            {"epochs": object, "optimizer": {"momentun": 1}, "milestones": (1, {2})},
            "train()",
            experiment_type,
        )
    assert sorted(str(caught.value).splitlines()) == [
        "train(): epochs: <class 'object'> is type; expected a whole number >= 1",
        "train(): milestones[1]: {2} is set; expected a whole number",
        "train(): optimizer.momentun: unknown key; did you mean 'momentum'?",
    ]
