import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnn_train.config.document import Place
from cnn_train.config.shipped import shipped_configs
from cnn_train.config.source import MAX_BYTES, decode
from cnn_train.config.yaml_reader import MAX_NODES, parse_document, parse_quickly
from cnn_train.errors import ConfigError


def refusal(content: bytes) -> str | None:
    """Return what is wrong with the content, or None where it is a mapping."""
    try:
        tree = parse_document(decode(content, "c.yaml"), "c.yaml").tree
    except ConfigError as error:
        return str(error)
    assert isinstance(tree, dict)
    return None


EXAMPLE = """\
# a comment
model: {name: vgg16}
optimizer:
  lr: 1e-3
milestones: [30, 45]
"""


def test_a_mapping_becomes_plain_values() -> None:
    assert parse_document(EXAMPLE, "c.yaml").tree == {
        "model": {"name": "vgg16"},
        "optimizer": {"lr": 0.001},
        "milestones": [30, 45],
    }


def test_every_key_and_value_knows_its_line_and_column() -> None:
    document = parse_document(EXAMPLE, "c.yaml")
    assert document.keys == {
        ("model",): Place(0, 2, 1, "c.yaml"),
        ("model", "name"): Place(0, 2, 9, "c.yaml"),
        ("optimizer",): Place(0, 3, 1, "c.yaml"),
        ("optimizer", "lr"): Place(0, 4, 3, "c.yaml"),
        ("milestones",): Place(0, 5, 1, "c.yaml"),
    }
    assert document.values[("optimizer", "lr")] == Place(0, 4, 7, "c.yaml")
    assert document.values[("milestones", 1)] == Place(0, 5, 18, "c.yaml")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null"])
def test_an_empty_config_means_all_defaults(text: str) -> None:
    assert parse_document(text, "c.yaml").tree == {}


def test_quoted_and_block_scalars_are_text() -> None:
    text = "a: '1'\nb: \"2\"\nc: |\n  3\n"
    assert parse_document(text, "c.yaml").tree == {"a": "1", "b": "2", "c": "3\n"}


def test_keys_are_text_even_where_they_look_like_values() -> None:
    assert parse_document("1: a\nno: b\nnull: c\n", "c.yaml").tree == {
        "1": "a",
        "no": "b",
        "null": "c",
    }


def test_windows_line_ends_count_as_one() -> None:
    assert parse_document("a: 1\r\nb: 2\r\n", "c.yaml").keys[("b",)].line == 2


# Text, where the finding stands, and what it says.
BROKEN = {
    "duplicate key": (
        "a: 1\nb:\n  c: 1\n  c: 2",
        "4:3: b.c: duplicate key; first given in line 3, column 3",
    ),
    "duplicate in other quotes": ("a: 1\n'a': 2", "2:1: a: duplicate key"),
    "tab indentation": ("model:\n\tname: vgg16", "2:1: a tab cannot indent YAML; use spaces"),
    "unclosed bracket": ("a: [1, 2\nb: 3", "1:4: this '[' is not closed; add ']'"),
    "bracket as the last character": ("a: [", "1:5: the file ends inside a '[' or '{'; close it"),
    "unclosed brace": ("a: {b: 1\nc: 2\n", "1:4: this '{' is not closed; add '}'"),
    "unclosed quote": ("a: 'x\nb: 1", "1:4: this quote is never closed"),
    "two documents": ("a: 1\n---\nb: 1", "2:1: a second document starts here; keep one per file"),
    "list": ("- 1\n- 2", "1:1: the file holds a list; write lines of the form 'key: value'"),
    "scalar": ("# c\nvgg16", "2:1: the file holds a single value; write lines of the form"),
    "no space after the colon": ("lr:0.1", "1:1: the file holds a single value"),
    "second colon": ("a: 1\nb: c: d", "2:5: a second ':' cannot stand here"),
    "dedent to nowhere": ("a:\n    b: 1\n  c: 2", "3:3: this does not continue the lines above"),
    "python tag": ("a: !!python/object/apply:os.system [ls]", "1:4: '!' starts a YAML tag"),
    "standard tag": ("a: !!str 5", "1:4: '!' starts a YAML tag"),
    "anchor": ("a: &x 1\nb: 2", "1:4: '&' starts an anchor or alias"),
    "alias": ("a: *x", "1:4: '*' starts an anchor or alias"),
    "list as a key": ("? [1]\n: 2", "1:3: a key must be one word"),
    "bad escape": ('a: "C:\\data"', "1:8: this escape is unknown"),
    "escape cut short": ('a: "\\x1"', "1:7: this escape is incomplete"),
    "escape beyond Unicode": ('a: "\\U00110000"', "1:7: this escape or number is out of range"),
    "half a surrogate pair": ('a: "\\ud800"', "1:4: an escape in this text names no usable"),
    "escaped zero": ('a: "\\0"', "1:4: an escape in this text names no usable character"),
    "control character": ("a: 1\nb: \x07", "2:4: an unprintable character; delete it"),
    "reserved character": ("a: @x", "1:4: this character cannot start a value; quote"),
    "other YAML version": ("%YAML 3.0\n---\na: 1", "1:1: not valid YAML: found incompatible"),
    "absurd YAML version": (f"%YAML 1.{'9' * 5000}\n---\na: 1", "1:9: this escape or number"),
    "too deep": ("a: " + "[" * 50_000, "1:24: nested deeper than 20 levels"),
    "too deep in blocks": ("- " * 10_000, "1:43: nested deeper than 20 levels"),
    "too many values": ("a: [" + "1," * 40_000 + "]", f"1:{2 * MAX_NODES - 1}: more than 2000"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_text_is_one_located_line(case: str) -> None:
    text, finding = BROKEN[case]
    with pytest.raises(ConfigError) as caught:
        parse_document(text, "c.yaml")
    assert str(caught.value).startswith(f"c.yaml:{finding}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "unit", ["#", "x ", "[", "a: {", "k: 1\n", "- 1\n", "[],", "%TAG !a! x\n", "---\n", "? ", "''"]
)
def test_the_longest_allowed_text_is_read_in_seconds(unit: str) -> None:
    text = unit * (MAX_BYTES // len(unit))
    start = time.process_time()
    refusal(text.encode())
    assert time.process_time() - start < 30


TRICKY = b"""# head
data: {name: cifar10, val_fraction: 0.1}
model:
  name: "vgg\\x31\\u0036"
  'q': |
    text
? complex
: [1, {a: b}, 'x''y', >-
 fold]
"""
TOKENS = [
    *b"[]{}-?:,#&*!|>'\"%@`\\\t\n\r <=~.0",
    *[b"---\n", b"...\n", b"%YAML 1.2\n", b"!!python/name:os.system", b"&a", b"*a"],
    *[b"\\U00110000", b"\\ud800", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"\xe2\x80\xa8", b"\xed"],
]
EDITS = st.lists(
    st.tuples(st.integers(0, len(TRICKY)), st.integers(0, 6), st.sampled_from(TOKENS)),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=300)
@given(EDITS)
@example([(0, 0, b"%YAML 1.2\n"), (0, 0, b"*a")])
def test_damaged_text_raises_nothing_but_config_errors(
    edits: list[tuple[int, int, int | bytes]],
) -> None:
    content = bytearray(TRICKY)
    for start, num_removed, token in edits:
        content[start : start + num_removed] = token if isinstance(token, bytes) else bytes([token])
    finding = refusal(bytes(content))
    assert finding is None or re.fullmatch(r"c\.yaml:\d+:\d+: .+", finding)


def test_reading_quickly_gives_the_same_document_and_the_same_complaints():
    texts = [path.read_text("utf-8") for path in shipped_configs().values()]
    texts += ["", "a: 'x'\nb: \"1\"\nc: 1\nd: ~\ne:\nf: |\n  1\ng: [1, '2']\n"]
    for text in texts:
        assert parse_quickly(text, "file") == parse_document(text, "file")
    for text in ("a: [", "a: 1\na: 2", "- 1", "a: &b 1", "a: !x 1", "\tb: 1", 'a: "\\U00110000"'):
        with pytest.raises(ConfigError) as plain:
            parse_document(text, "file")
        with pytest.raises(ConfigError, match=re.escape(str(plain.value))):
            parse_quickly(text, "file")
