"""What a user reads when a config is wrong."""

from typing import Any

import pytest
from pydantic import Field

from cnn_train.config.base import Config
from cnn_train.config.loading import load_experiment
from cnn_train.errors import ConfigError


def findings(experiment_type: Any, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_experiment("c.yaml", overrides, experiment_type, text=text)
    return str(caught.value).splitlines()


# One wrong line each, and the one line that it earns.
WRONG = {
    "optimizer:\n  momentun: 0.9": (
        "c.yaml:2:3: optimizer.momentun: unknown key; did you mean 'momentum'?"
    ),
    "name: x": "c.yaml:1:1: name: unknown key; known keys: data, model, optimizer, augment, "
    "milestones, ema_decay, warmup, batch_size, epochs, seed, note",
    "momentum: 0.9": "c.yaml:1:1: momentum: unknown key; did you mean 'optimizer.momentum'?",
    "optimizer: {name: adamw, momentum: 0}": (
        "c.yaml:1:26: optimizer.momentum: unknown key; another kind of optimizer has it; "
        "this one knows: name, lr, betas"
    ),
    "optimizer: {Sgd: 1}": (
        "c.yaml:1:13: optimizer.Sgd: unknown key; known keys: name, lr, momentum, nesterov"
    ),
    "model: {name: VGG-16}": (
        "c.yaml:1:15: model.name: \"VGG-16\" is unknown; did you mean 'vgg16'? "
        "choices: lenet, vgg11, vgg16"
    ),
    "model: {name: 5}": "c.yaml:1:15: model.name: 5 is unknown; choices: lenet, vgg11, vgg16",
    "model: vgg11": (
        'c.yaml:1:8: model: "vgg11" is a string; write {name: vgg11}, one of: lenet, vgg11, vgg16'
    ),
    "optimizer: [1]": (
        "c.yaml:1:12: optimizer: [1] is a list; write {name: NAME}, one of: sgd, adamw"
    ),
    "model:": (
        "c.yaml:1:7: model: the value is empty; "
        "write {name: NAME}, one of: lenet, vgg11, vgg16; or remove the line for the default"
    ),
    "augment: none": 'c.yaml:1:10: augment: "none" is a string; expected a section of keys',
    "augment: {flip: Randm}": (
        "c.yaml:1:17: augment.flip: \"Randm\" is unknown; did you mean 'random'? "
        "choices: none, random, alternate"
    ),
    "augment: {flip: 7}": (
        "c.yaml:1:17: augment.flip: 7 is unknown; expected 'none', 'random' or 'alternate'"
    ),
    "data: {name: folder}": (
        "c.yaml:1:1: data.root: missing; give the directory that holds train/ and test/"
    ),
    "data: {name: folder, root: 5}": 'c.yaml:1:28: data.root: 5 is a whole number; write "5"',
    "epochs: 0": "c.yaml:1:9: epochs: 0 is out of range; expected a number >= 1",
    "epochs: 1,000": 'c.yaml:1:9: epochs: "1,000" is a string; write 1000',
    "epochs: 1,5": 'c.yaml:1:9: epochs: "1,5" is a string; expected a whole number >= 1',
    "epochs: 30.0": "c.yaml:1:9: epochs: 30.0 is a decimal number; write 30",
    "epochs: 1.5": "c.yaml:1:9: epochs: 1.5 is a decimal number; expected a whole number >= 1",
    "epochs: true": "c.yaml:1:9: epochs: true is a boolean; expected a whole number >= 1",
    "ema_decay: 1.5": (
        "c.yaml:1:12: ema_decay: 1.5 is out of range; expected a number > 0 and < 1"
    ),
    "warmup: atuo": ("c.yaml:1:9: warmup: \"atuo\" is a string; expected a whole number or 'auto'"),
    "milestones: 5": "c.yaml:1:13: milestones: 5 is a whole number; write [5]",
    "milestones:\n  - 1\n  - x": (
        'c.yaml:3:5: milestones[1]: "x" is a string; expected a whole number'
    ),
    "note: 5": 'c.yaml:1:7: note: 5 is a whole number; write "5"',
    "note: [a, b]": "c.yaml:1:7: note: [a, b] is a list; expected text",
    "optimizer: {nesterov: true, momentum: 0}": (
        "c.yaml:1:1: optimizer: nesterov needs momentum; set momentum above 0"
    ),
    "optimizer: {nesterov: no}": 'c.yaml:1:23: optimizer.nesterov: "no" is a string; write false',
    "optimizer: {nesterov: 1}": (
        "c.yaml:1:23: optimizer.nesterov: 1 is a whole number; expected true or false"
    ),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_setting_earns_one_line_that_says_what_to_write(
    experiment_type: Any, text: str
) -> None:
    assert findings(experiment_type, text) == [WRONG[text]]


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ('"0.1"', '"0.1" is a string; write 0.1'),
        ("no", '"no" is a string; expected a number > 0'),
        ("1:30", '"1:30" is a string; YAML 1.2 has no base-60 numbers; write 90'),
        ("1_000", '"1_000" is a string; write 1000'),
        ("0,05", '"0,05" is a string; write 0.05'),
        ("-1,5e-3", '"-1,5e-3" is a string; write -0.0015'),
        ("0.05,0.1", '"0.05,0.1" is a string; expected a number > 0'),
        ("'1e-3'", '"1e-3" is a string; write 0.001'),
        (".nan", ".nan is not finite; expected a number > 0"),
        ("1e400", ".inf is not finite; expected a number > 0"),
        ("0", "0 is out of range; expected a number > 0"),
        ("", "the value is empty; expected a number > 0"),
        ("[0.1]", "[0.1] is a list; expected a number > 0"),
        ("{a: 1}", "{a: 1} is a section; expected a number > 0"),
        ("true", "true is a boolean; expected a number > 0"),
    ],
)
def test_a_wrong_number_is_named_with_its_kind_or_range(
    experiment_type: Any, written: str, complaint: str
) -> None:
    column = 7 if written else 6
    expected = [f"c.yaml:3:{column}: optimizer.lr: {complaint}"]
    assert findings(experiment_type, f"# c\noptimizer:\n  lr: {written}\n") == expected


def test_five_findings_are_reported_at_once_in_the_order_of_their_lines(
    experiment_type: Any,
) -> None:
    text = """\
seed: -1
model: {name: vgg15}
batch_size: 0
# comment
optimizer:
  lr: .nan
  momentun: 0.9
"""
    assert [line.split(": ")[:2] for line in findings(experiment_type, text)] == [
        ["c.yaml:1:7", "seed"],
        ["c.yaml:2:15", "model.name"],
        ["c.yaml:3:13", "batch_size"],
        ["c.yaml:6:7", "optimizer.lr"],
        ["c.yaml:7:3", "optimizer.momentun"],
    ]


def test_findings_in_overrides_cite_them_after_those_in_the_file(experiment_type: Any) -> None:
    overrides = ("optimizer.lr=nan", "optimiser.lr=1", "model={name: lenet, batch_norm: true}")
    assert findings(experiment_type, "epochs: 0\noptimizer: {lr: 1}", *overrides) == [
        "c.yaml:1:9: epochs: 0 is out of range; expected a number >= 1",
        '--set optimizer.lr=nan: optimizer.lr: "nan" is a string; expected a number > 0',
        "--set optimiser.lr=1: optimiser: unknown key; did you mean 'optimizer'?",
        "--set model={name: lenet, batch_norm: true}: model.batch_norm: unknown key; "
        "another kind of model has it; this one knows: name, dropout",
    ]


def test_an_overridden_name_points_to_the_keys_in_the_file_that_no_longer_fit(
    experiment_type: Any,
) -> None:
    (finding,) = findings(experiment_type, "model:\n  batch_norm: true\n", "model.name=lenet")
    assert finding.startswith("c.yaml:2:3: model.batch_norm: unknown key; ")


@pytest.mark.parametrize(
    ("text", "override", "advice"),
    [
        (
            "optimizer: {name: sgd, momentum: 0}",
            "optimizer.name=adamw",
            "--set optimizer.name=adamw keeps it; to leave momentum and its like out: "
            "--set 'optimizer={name: adamw}'",
        ),
        (
            "optimizer: {name: adamw, momentum: 0}",
            "optimizer.lr=1",
            "another kind of optimizer has it; this one knows: name, lr, betas",
        ),
    ],
)
def test_a_component_chosen_by_an_override_is_told_how_to_lose_the_others_settings(
    experiment_type: Any, text: str, override: str, advice: str
) -> None:
    (finding,) = findings(experiment_type, text, override)
    assert finding.endswith(f": optimizer.momentum: unknown key; {advice}")


def test_a_long_value_is_cut_and_a_many_line_value_stays_on_one_line(experiment_type: Any) -> None:
    (long,) = findings(experiment_type, f"epochs: {'x' * 999}")
    assert len(long) < 150
    (folded,) = findings(experiment_type, "epochs: |\n  x\n  y\n")
    assert folded.startswith("c.yaml:1:9: epochs: ")


class Widths(Config):
    widths: tuple[int, ...] = Field(default=(8,), strict=False, min_length=1, max_length=3)


@pytest.mark.parametrize(
    ("widths", "complaint"),
    [
        ("[]", ": [] is too short; expected a list of at least 1"),
        ("[1, 2, 3, 4]", ": [1, 2, 3, 4] is too long; expected a list of at most 3"),
        ("[x]", '[0]: "x" is a string; expected a whole number'),
    ],
)
def test_a_list_is_called_too_short_only_where_it_is(widths: str, complaint: str) -> None:
    (line,) = findings(Widths, f"widths: {widths}")
    assert line.partition(" widths")[2] == complaint
