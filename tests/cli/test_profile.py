from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_profile_prints_phases_operations_and_operators(cnn_train: Run, tiny_config: Path) -> None:
    outcome = cnn_train("profile", "--config", tiny_config, "--batches", 2, "--device", "cpu")
    assert outcome.exit_code == 0, outcome.stderr
    first_words = [line.split("  ")[0] for line in outcome.stdout.splitlines()]
    for heading in ("phase", "operations", "operator", "data", "backward", "matrix product"):
        assert heading in first_words
    assert "linear in float32 on cpu" in outcome.stdout
    assert "images/s" in outcome.stdout and "TFLOP/s" in outcome.stdout


def test_the_percentages_of_the_phases_add_up(cnn_train: Run, tiny_config: Path) -> None:
    lines = cnn_train("profile", "-c", tiny_config, "--batches", 3).stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("phase"))
    phases = [line.split() for line in lines[start + 1 : start + 6]]
    assert [words[0] for words in phases] == ["data", "forward", "backward", "optimizer", "metrics"]
    assert abs(sum(float(words[2]) for words in phases) - 100) < 0.5


def test_json_is_one_document_of_the_same_figures(cnn_train: Run, tiny_config: Path) -> None:
    outcome = cnn_train("profile", "-c", tiny_config, "--batches", 2, "--json")
    document = outcome.document
    assert document["model"] == "linear" and document["batch_size"] == 20
    assert document["num_steps"] == 2
    assert document["images_per_second"] > 0
    assert {"name", "group", "calls", "seconds"} == set(document["operators"][0])


def test_settings_are_overridden_as_in_fit(cnn_train: Run, tiny_config: Path) -> None:
    options = ("--batches", 1, "--set", "batch_size=10", "--set", "model.name=lenet", "--json")
    document = cnn_train("profile", "-c", tiny_config, *options).document
    assert (document["model"], document["batch_size"]) == ("lenet", 10)


def test_nothing_is_written(cnn_train: Run, tiny_config: Path) -> None:
    before = set(tiny_config.parent.iterdir())
    assert cnn_train("profile", "-c", tiny_config, "--batches", 1).exit_code == 0
    assert set(tiny_config.parent.iterdir()) == before


def test_a_bad_config_and_an_unusable_device_are_one_line(
    cnn_train: Run, tiny_config: Path
) -> None:
    wrong = cnn_train("profile", "-c", tiny_config, "--set", "batch_sise=3")
    assert wrong.exit_code == 2 and "did you mean 'batch_size'?" in wrong.stderr
    absent = cnn_train("profile", "-c", tiny_config, "--device", "cuda:99")
    assert absent.exit_code == 2
    assert len(absent.stderr.strip().splitlines()[-1:]) == 1 and "cuda:99" in absent.stderr
