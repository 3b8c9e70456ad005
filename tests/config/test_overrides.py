from typing import Any

import pytest

from cnn_train.config.overrides import apply_overrides
from cnn_train.config.yaml_reader import parse_document
from cnn_train.errors import ConfigError

EXAMPLE = """\
model: {name: wide_resnet, depth: 28}
optimizer:
  lr: 0.1
epochs: 30
loss:
"""


def overridden(*overrides: str) -> Any:
    return apply_overrides(parse_document(EXAMPLE, "c.yaml"), overrides).tree


def test_a_dotted_path_sets_one_value_and_keeps_its_siblings() -> None:
    assert overridden("model.depth=16")["model"] == {"name": "wide_resnet", "depth": 16}


def test_the_last_override_of_a_setting_wins() -> None:
    assert overridden("epochs=1", "epochs=2")["epochs"] == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("no", "no"),
        ("null", None),
        ("", None),
        ("[30, 45]", [30, 45]),
        ("'0.1'", "0.1"),
        ("a=b", "a=b"),
    ],
)
def test_values_follow_the_rules_of_the_file(text: str, value: object) -> None:
    assert overridden(f"epochs={text}")["epochs"] == value


def test_a_section_is_replaced_as_a_whole() -> None:
    assert overridden("model={name: resnet20}")["model"] == {"name": "resnet20"}


def test_absent_and_empty_sections_are_made() -> None:
    tree = overridden("schedule.name=step", "loss.name=hinge")
    assert tree["schedule"] == {"name": "step"}
    assert tree["loss"] == {"name": "hinge"}


def test_the_given_document_stays_as_it_was() -> None:
    document = parse_document(EXAMPLE, "c.yaml")
    apply_overrides(document, ["optimizer.lr=1", "model={}"])
    assert document == parse_document(EXAMPLE, "c.yaml")


def test_overridden_values_are_cited_and_replaced_ones_forgotten() -> None:
    document = apply_overrides(parse_document(EXAMPLE, "c.yaml"), ["model={name: resnet20}"])
    assert str(document.place_of_key(("model", "name"))) == "--set model={name: resnet20}"
    assert ("model", "depth") not in document.keys
    assert str(document.place_of_value(("optimizer", "lr"))) == "c.yaml:3:7"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lr", "--set lr: expected KEY=VALUE, such as --set optimizer.lr=0.05"),
        ("=1", "--set =1: expected KEY=VALUE, such as --set optimizer.lr=0.05"),
        ("a..b=1", "--set a..b=1: expected KEY=VALUE, such as --set optimizer.lr=0.05"),
        ("epochs.x=1", "--set epochs.x=1: epochs is 30, not a section; set it as a whole"),
        (
            "optimizer.lr.x.y=1",
            "--set optimizer.lr.x.y=1: optimizer.lr is 0.1, not a section; set it as a whole",
        ),
        ("model=[1", "--set model=[1: this '[' is not closed; add ']'"),
        ("model={a: 1, a: 2}", "--set model={a: 1, a: 2}: a: duplicate key; first given in line 1"),
        ("a=!!python/name:os.system", "--set a=!!python/name:os.system: '!' starts a YAML tag"),
        ("x\ny", "--set x y: expected KEY=VALUE"),
        ("x" * 999, f"--set {'x' * 100}…: expected KEY=VALUE"),
    ],
)
def test_a_wrong_override_is_cited_as_it_was_typed(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overridden(override)
    assert str(caught.value).startswith(message)
