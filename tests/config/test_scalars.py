import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_train.config.scalars import render_value, resolve_scalar
from cnn_train.config.yaml_reader import parse_value

# The examples of the YAML 1.2.2 specification (10.3.2) and the words that YAML 1.1 reads otherwise.
CORE_SCHEMA_EXAMPLES = [
    ("", None), ("~", None), ("null", None), ("Null", None),
    ("true", True), ("True", True), ("FALSE", False),
    ("0", 0), ("-19", -19), ("+7", 7), ("010", 10), ("0o7", 7), ("0o17", 15), ("0x3A", 58),
    ("0x1F", 31), ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5), ("+12e03", 12000.0),
    ("-2E+05", -200000.0), ("1e-3", 0.001), ("5e+2", 500.0), ("5.0e-4", 0.0005),
    (".inf", math.inf), ("-.Inf", -math.inf),
]  # fmt: skip
TEXTS = [
    *("1:30", "1_000", "0b101", "2026-01-31", "no", "on", "off", "yes", "nan", "inf", "tRUE"),
    *("0x", "08x", ".", "1e", "١٢", "=", "<<"),
]


@pytest.mark.parametrize(
    ("text", "value"), [*CORE_SCHEMA_EXAMPLES, *((text, text) for text in TEXTS)]
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    resolved = resolve_scalar(text)
    assert resolved == value
    assert type(resolved) is type(value)


def test_nan_is_a_number() -> None:
    assert math.isnan(resolve_scalar(".nan"))  # type: ignore[arg-type]


def test_a_run_of_digits_too_long_for_any_setting_stays_text() -> None:
    assert resolve_scalar("9" * 100) == 10**100 - 1
    assert resolve_scalar("9" * 101) == "9" * 101
    assert resolve_scalar("9" * 100_000) == "9" * 100_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-05, "1.0e-05"),
        (1e16, "1.0e+16"),
        (0.1, "0.1"),
        (30.0, "30.0"),
        (math.nan, ".nan"),
        (-math.inf, "-.inf"),
        ("random", "random"),
        ("no", '"no"'),
        ("0.1", '"0.1"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        (Path("images/train"), "images/train"),
        ((30, 45), "[30, 45]"),
        ([], "[]"),
        ({"name": None}, "{name: null}"),
    ],
)
def test_values_are_written_as_one_line_of_yaml(value: object, text: str) -> None:
    assert render_value(value) == text


@pytest.mark.parametrize("value", [1e-05, 1e16, 0.1, 5e-324, "no", "on", "1:30x", True, None, 12])
def test_other_yaml_readers_agree_about_what_we_write(value: object) -> None:
    assert yaml.safe_load(render_value(value)) == value


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(10**99), 10**99) | st.floats() | TEXT
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(TEXT.filter(bool) | st.just("no"), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(TREES)
def test_any_tree_survives_writing_and_reading(tree: object) -> None:
    assert repr(parse_value(render_value(tree), "tree").tree) == repr(tree)
