from pathlib import Path

import pytest

from cnn_train.errors import ConfigError
from cnn_train.search.space import Choices, Range, Space, load_space


def write(folder: Path, text: str) -> str:
    path = folder / "space.yaml"
    path.write_text(text)
    return str(path)


def test_a_list_is_choices_and_low_to_high_is_a_range(tmp_path: Path) -> None:
    text = "optimizer.lr: {low: 1e-3, high: 1, log: true}\nmodel: [{name: linear}, {name: lenet}]\n"
    settings = load_space(write(tmp_path, text)).settings
    assert settings["optimizer.lr"] == Range(low=1e-3, high=1, log=True)
    assert settings["model"] == Choices(("{name: linear}", "{name: lenet}"))


def test_a_range_is_whole_where_all_its_numbers_are() -> None:
    assert Range(low=1, high=5).is_whole and Range(low=0, high=8, step=2).is_whole
    assert not Range(low=1, high=5.0).is_whole and not Range(low=0, high=1, step=0.5).is_whole


def test_a_grid_is_every_combination_once() -> None:
    space = Space({"a": Choices(("x", "y")), "b": Range(low=0, high=0.3, step=0.1)})
    grid = [(point["a"], point["b"]) for point in space.grid()]
    assert grid == [(a, b) for a in "xy" for b in (0, 0.1, 0.2, 0.3)]


def test_a_grid_needs_an_end() -> None:
    space = Space({"a": Choices(("x", "y")), "lr": Range(low=0.1, high=1.0)})
    with pytest.raises(ConfigError, match="not: lr"):
        space.grid()
    many = Space({name: Range(low=1, high=200) for name in "abc"})
    with pytest.raises(ConfigError, match="8,000,000 combinations"):
        many.grid()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("optimizer.lr: 0.1", r"space.yaml:1:15: optimizer.lr: write choices"),
        ("optimizer: {lr: [0.1, 0.2]}", r"name settings with dots, optimizer.lr"),
        ("batch_size: [32]", r"choices are two or more"),
        ("batch_size: [32, 32]", r"each once"),
        ("epochs: {low: 3, high: 1}", r"low 3 is not below high 1"),
        ("epochs: {low: 0, high: 1, log: true}", r"needs low above 0"),
        ("epochs: {low: 1, high: 8, step: 2}", r"high 8 is no whole number of steps"),
        (
            "epochs: {low: 1, high: 9, lgo: true}",
            r"space.yaml:1:27: lgo: unknown key; did you mean",
        ),
        ("epochs: {low: 1}", r"high: missing"),
        ("", r"no setting to try"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_space(write(tmp_path, text))


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as problem:
        load_space(write(tmp_path, "a: 1\nb: 2\n"))
    assert len(str(problem.value).splitlines()) == 2
