"""The pages about derivatives: what they print, their JSON, their pictures, their errors."""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnn_train.cli import console
from cnn_train.cli.display.player import render_player
from cnn_train.lecture.formulas import differentiation

Run = Callable[..., Any]
FORMULA_PAGES = ("diff", "graph", "forward-mode", "reverse-mode", "slope")
DRAWING_PAGES = (
    "diff", "graph", "forward-mode", "reverse-mode", "slope", "loss hinge", "loss cross_entropy",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quick_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differentiation, "TIMED_SECONDS", 1e-6)


def rows(page: str) -> list[list[str]]:
    return [line.split() for line in page.splitlines()]


def test_diff_shows_every_method_side_by_side(cnn_train: Run) -> None:
    page = cnn_train("learn", "diff").stdout
    assert ["manual", "symbolic", "forward", "centred", "mode", "mode"] in rows(page)
    assert ["f", *["6.909297"] * 6] in rows(page)
    slopes = ["2.583853", "2.583853", "2.583849", "2.583853", "2.583853", "2.583853"]
    assert ["∂f/∂x1", *slopes] in rows(page)
    assert ["∂f/∂x2", *["2"] * 6] in rows(page)
    assert ["error", "0", "0", "1.8e-06", "2.5e-11", "0", "0"] in rows(page)
    assert ["operations", "5", "5", "9", "12", "16", "8"] in rows(page)
    assert "symbolic: ∂f/∂x1 = x2 + cos(x1)" in page


def test_diff_charts_the_u_as_text(cnn_train: Run) -> None:
    lines = cnn_train("learn", "diff").stdout.splitlines()
    chart = {line.split()[0]: line for line in lines if line.strip().startswith("1e-")}
    assert len(chart) == 15
    assert chart["1e-05"].split()[1:3] == ["1.8e-06", "2.5e-11"]
    places = [chart[f"1e-{k:02}"].replace("*", "c").rindex("c") for k in (1, 5, 12)]
    scale = next(line for line in lines if line.endswith("1e-8                   1"))
    start, end = scale.index("1e-16"), len(scale) - 1
    errors = [float(chart[f"1e-{k:02}"].split()[2]) for k in (1, 5, 12)]
    expected = [end + math.log10(error) / 16 * (end - start) for error in errors]
    assert places == pytest.approx(expected, abs=0.6)


def test_diff_in_json_has_the_same_numbers(cnn_train: Run) -> None:
    document = cnn_train("learn", "diff", "--expr", "log(x)*y", "--at", "y=2 x=3", "--json")
    found = document.document
    assert (found["input_names"], found["point"]) == (["x", "y"], [3.0, 2.0])
    assert found["derivatives"] == ["y/x", "log(x)"]
    assert found["exact"] == pytest.approx([2 / 3, math.log(3)])
    assert found["methods"][0]["name"] == "symbolic"
    assert all(one["problem"] is None for one in found["methods"])
    assert len(found["curve"]) == 15


def test_diff_explains_the_step_function_and_a_missing_answer(cnn_train: Run) -> None:
    page = cnn_train("learn", "diff", "--expr", "relu(x)*log(x)", "--at", "1e-6").stdout
    assert "Heaviside(z) is 0 below 0" in page
    assert "numerical, centred: no answer here. log(x): log(" in page


def test_graph_lists_the_nodes(cnn_train: Run) -> None:
    page = cnn_train("learn", "graph").stdout
    assert rows(page)[2:] == [
        ["node", "computes"],
        ["v1", "x1", "input"],
        ["v2", "x2", "input"],
        ["v3", "v1", "×", "v2"],
        ["v4", "sin(v1)"],
        ["v5", "v3", "+", "v4", "f"],
    ]


def test_graph_of_several_outputs_names_them_and_shows_values(cnn_train: Run) -> None:
    options = ("--expr", "x*2", "--expr", "sin(x)", "--at", 0.5)
    page = cnn_train("learn", "graph", *options).stdout
    assert ["v2", "v1", "×", "2", "f1", "1"] in rows(page)
    assert ["v3", "sin(v1)", "f2", "0.4794255"] in rows(page)
    document = cnn_train("learn", "graph", *options, "--json").document
    assert document["outputs"] == ["v2", "v3"]
    assert document["nodes"][1] == {
        "node": "v2", "symbol": "× 2", "step": "v1 × 2", "operands": ["v1", "2"], "value": 1.0,
    }  # fmt: skip


def test_forward_mode_traces_a_pass_per_input(cnn_train: Run) -> None:
    page = cnn_train("learn", "forward-mode").stdout
    assert "Pass 1 of 2: along x1" in page and "Pass 2 of 2: along x2" in page
    assert "v3    v1 × v2           6  v̇3 = v2·v̇1 + v1·v̇2" in page
    assert "→ ∂f/∂x1 = 2.583853" in page and "→ ∂f/∂x2 = 2" in page
    assert ["this", "function", "2", "→", "1", "3", "2", "16", "1", "8"] in rows(page)


def test_reverse_mode_traces_one_pass_and_x1_collects_two_paths(cnn_train: Run) -> None:
    page = cnn_train("learn", "reverse-mode").stdout
    assert "Backward pass 1 of 1: begin with v̄5 = 1" in page
    assert "→ ∂f/∂x1 = 2.583853 = -0.4161468 + 3   (2 paths)" in page
    assert "→ ∂f/∂x2 = 2\n" in page
    assert ["sin(x),…,sin(8x)", "1", "→", "8", "15", "1", "30", "8", "30"] in rows(page)
    assert ["sin(x1)+…+sin(x8)", "8", "→", "1", "15", "8", "296", "1", "37"] in rows(page)


@pytest.mark.parametrize("page", ["forward-mode", "reverse-mode"])
def test_both_modes_give_the_jacobian_of_several_outputs(cnn_train: Run, page: str) -> None:
    options = ("--expr", "x*y", "--expr", "x-y", "--at", "2,3")
    document = cnn_train("learn", page, *options, "--json").document
    assert document["jacobian"] == [[3.0, 2.0], [1.0, -1.0]]
    assert document["point"] == {"x": 2.0, "y": 3.0}
    assert len(document["passes"]) == 2
    text = cnn_train("learn", page, *options).stdout
    assert all(line in text for line in ("→ ∂f1/∂x = 3", "→ ∂f1/∂y = 2", "→ ∂f2/∂y = -1"))


def test_slope_is_steepest_along_the_gradient(cnn_train: Run) -> None:
    page = cnn_train("learn", "slope").stdout
    assert ["along", "∇f", "0.00°", "3.26746", "3.26746"] in rows(page)
    assert ["along", "-∇f", "180.00°", "-3.26746", "-3.26746"] in rows(page)
    document = cnn_train("learn", "slope", "--directions", 50, "--seed", 3, "--json").document
    measured = [one["numeric"] for one in document["directions"]]
    assert len(measured) == 55 and measured[0] == max(measured)
    assert document["largest_difference"] < 1e-9


def test_the_secants_of_a_parabola_come_to_its_tangent_as_fast_as_h(cnn_train: Run) -> None:
    page = cnn_train("learn", "slope", "--expr", "x**2", "--at", 1, "--h", 0.25).stdout
    assert "value 1, the tangent's slope df/dx = 2" in page and "random" not in page
    found = cnn_train("learn", "slope", "--expr", "x**2", "--at", 1, "--h", 0.25, "--json").document
    assert (found["value"], found["slope"]) == (1, 2)
    assert [one["h"] for one in found["secants"][:4]] == [1, 0.5, 0.25, 0.1]
    for one in found["secants"]:  # ((1 + h)² - 1) / h = 2 + h
        assert one["slope"] == pytest.approx(2 + one["h"], abs=1e-7)
    assert [line.split() for line in page.splitlines()][8] == ["0.25", "2.25", "2.5e-01"]


@pytest.mark.parametrize(
    ("text", "at", "says", "says_not"),
    [
        ("x**2", "1", "the closer the secant comes to the tangent", "rounding"),
        ("1e6+x**2", "1", "rounding is divided by h, and the error grows", "straight"),
        ("3*x+1", "5", "the function is a straight line here", "the closer"),
        ("abs(x)", "0", "so there is no tangent here. f has a kink here", "error"),
        ("relu(x)-relu(-x)", "0", "slope is 1 on both sides, not 0", "no tangent"),
        ("x", "1e300", "Every h is lost beside x", "the closer"),
        ("sqrt(-x)", "-1e-9", "has no value to the right of this point", "the closer"),
    ],
)
def test_the_secants_are_described_as_they_are(
    cnn_train: Run, tmp_path: Path, text: str, at: str, says: str, says_not: str
) -> None:
    options = ("--expr", text, "--at", at, "--out", tmp_path / "s.svg")
    page = " ".join(cnn_train("learn", "slope", *options).stdout.split())
    assert says in page and says_not not in page
    drawn = (tmp_path / "s.svg").read_text("utf-8")
    assert ("tangent" in drawn) == ("no tangent" not in page)


def test_slope_of_a_configs_minibatch(cnn_train: Run, tiny_config: Path) -> None:
    options = ("-c", tiny_config, "--set", "loss.name=hinge", "--directions", 2, "--device", "cpu")
    document = cnn_train("learn", "slope", *options, "--json").document
    assert document["function"] == "hinge + λR(W) of linear, 20 images"
    assert document["num_parameters"] == 10 * (3 * 16 * 16 + 1)
    assert document["value"] == pytest.approx(9, abs=1)
    assert document["largest_difference"] < 1e-4
    assert "hinge + λR(W) of linear" in cnn_train("learn", "slope", *options).stdout


def test_params_counts_the_slides_layers(cnn_train: Run) -> None:
    page = cnn_train("learn", "params").stdout
    assert ["fully", "connected", "40,000", "1,600,000,000", "40,000", "6.4", "GB"] in rows(page)
    assert ["locally", "connected", "100", "4,000,000", "40,000", "16.2", "MB"] in rows(page)
    assert ["convolution", "100", "10,000", "100", "40.4", "kB"] in rows(page)
    options = ("--image-size", 32, "--channels", 3, "--units", 1, "--patch", 1, "--filters", 1)
    layers = cnn_train("learn", "params", *options, "--json").document["layers"]
    assert [one["weights"] for one in layers] == [3072, 3, 3]


@pytest.mark.parametrize("page", [*FORMULA_PAGES, "params", "loss hinge", "loss cross_entropy"])
def test_a_page_fits_into_80_columns(
    cnn_train: Run, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    monkeypatch.setattr(console.stdout, "width", 80)
    lines = cnn_train("learn", *page.split()).stdout.splitlines()
    widest = {line.replace("\u0307", "").replace("\u0304", "").rstrip() for line in lines}
    assert max(map(len, widest)) <= 80
    assert not any(line.endswith("…") for line in widest)


@pytest.mark.parametrize("page", DRAWING_PAGES)
def test_a_picture_is_written_and_named_and_stdout_is_one_document(
    cnn_train: Run, tmp_path: Path, page: str
) -> None:
    outcome = cnn_train("learn", *page.split(), "--out", "page.svg", "--json")
    assert outcome.document and "wrote page.svg" in outcome.stderr
    assert (tmp_path / "page.svg").read_bytes().startswith(b"<?xml ")


@pytest.mark.parametrize(
    "page", [*DRAWING_PAGES, "batch-size -c no.yaml", "descent -c no.yaml", "step -c no.yaml"]
)
def test_a_picture_of_another_kind_is_refused_before_anything_is_printed(
    cnn_train: Run, page: str
) -> None:
    outcome = cnn_train("learn", *page.split(), "--out", "page.pdf")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert ".png or .svg" in outcome.stderr


@pytest.mark.parametrize("page", FORMULA_PAGES)
@pytest.mark.parametrize(
    ("expression", "at", "message"),
    [
        ("x1*sen(x1)", "2", "--expr 'x1*sen(x1)', column 4, 'sen': there is no such function"),
        ("log(x)", "-1", "log(x): log(-1) is not defined; choose another --at"),
        ("x*y", "1", "1 number for 2 inputs (x, y)"),
        ("__import__('os').system('true')", "1", 'column 12, "\'": '),
    ],
)
def test_a_bad_formula_or_point_is_one_line_and_exit_code_2(
    cnn_train: Run, page: str, expression: str, at: str, message: str
) -> None:
    outcome = cnn_train("learn", page, "--expr", expression, "--at", at)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert message in outcome.stderr and len(outcome.stderr.splitlines()) == 1


@pytest.mark.parametrize("page", ["diff", "forward-mode", "reverse-mode", "slope"])
def test_a_formula_of_ones_own_needs_a_point_of_ones_own(cnn_train: Run, page: str) -> None:
    outcome = cnn_train("learn", page, "--expr", "a*b")
    assert outcome.exit_code == 2
    assert "--at is missing: a number for each input of --expr (a, b)" in outcome.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--config", "c.yaml", "--at", "2,3"), "leave out --expr and --at"),
        (("--set", "epochs=1"), "--set goes with --config"),
        (("--expr", "x**2+y", "--at", "0,1", "--h", "2"), "take a step from"),
        (("--expr", "x**2*y", "--at", "0,1"), "the gradient is 0 at this point"),
        (("--expr", "x**2", "--at", "0", "--directions", 3), "--directions: one input has two"),
    ],
)
def test_slope_refuses_what_makes_no_sense(
    cnn_train: Run, options: tuple[str, ...], message: str
) -> None:
    outcome = cnn_train("learn", "slope", *options)
    assert outcome.exit_code == 2 and message in outcome.stderr


def test_slope_claims_no_steepest_direction_at_a_kink(cnn_train: Run) -> None:
    ended = cnn_train("learn", "slope", "--expr", "relu(x)+y", "--at", "0,1")
    assert ended.exit_code == 0
    assert "The steepest way up is along" not in ended.stdout
    assert "f has a kink here: along x the slope is 0 from the left" in ended.stdout


@pytest.mark.parametrize(
    ("options", "says", "says_not"),
    [
        (
            ("relu(x)", "0"),
            "f has a kink here: along x the slope is 0 from the left and 1",
            "bends",
        ),
        (("relu(x)-relu(-x)", "0"), "slope is 1 on both sides, not 0", "has a kink here"),
        (("max(x,y)", "1,1"), "centred ones do, for here the choice is the mean", "No h,"),
        (("relu(x)+relu(-x)", "0"), "centred ones do, for here the choice is the mean", "No h,"),
        (("relu(-x)", "0"), "forward ones do, for here the choice is the slope of the", "No h,"),
        (("relu(x)", "0"), "No h, however small, brings the differences and the", "ones do"),
        (("tanh(x)", "40"), "every method loses digits", "bends"),
        (("1e12*(x**3/x**2-x)", "0.3"), "Here reverse mode loses digits", "every method"),
        (("x**2", "1", "--h", "1e-17"), "h is lost beside x", "kink"),
        (("x1*x2+sin(x1)", "2,3"), "because the function bends, a small one because", "kink"),
        (("2*x+3", "5"), "A large h is right, for the function does not bend", "bends"),
        (("x*y", "2,3"), "A large h is right", "bends"),
        (("x**2", "0"), "a small one is right, for nothing is rounded here", "divided"),
        (("x**2", "0"), "relative, absolute where it is 0", "the formula's choice"),
        (("x", "1e300"), "Every h of this table is lost beside an input", "bends"),
        (("relu(x)", "5e-6"), "bends or has a kink on the way", "f has a kink here"),
        (("sqrt(x)", "1e-7"), "a step of --h leads there, choose a smaller one", "--at"),
        (("x", "1.0000001"), "at x = 1.0000001", "kink"),
    ],
)
def test_diff_gives_the_reason_that_is_true_at_this_point(
    cnn_train: Run, options: tuple[str, ...], says: str, says_not: str
) -> None:
    text, at, *others = options
    page = cnn_train("learn", "diff", "--expr", text, "--at", at, *others).stdout
    page = " ".join(page.split())
    assert says in page and says_not not in page


def test_the_picture_of_several_outputs_tells_whose_adjoints_are_whose(
    cnn_train: Run, tmp_path: Path
) -> None:
    options = ("--expr", "x*y", "--expr", "x-y", "--at", "2,3", "--out", tmp_path / "r.svg")
    cnn_train("learn", "reverse-mode", *options)
    drawn = (tmp_path / "r.svg").read_text("utf-8")
    assert all(words in drawn for words in ("f1: v̄1 = 3", "f2: v̄1 = 1", "f2: v̄2 = -1"))
    cnn_train("learn", "reverse-mode", *options[2:])
    assert "f1: " not in (tmp_path / "r.svg").read_text("utf-8")


def test_params_writes_huge_counts_in_short(cnn_train: Run) -> None:
    options = ("--image-size", 100_000_000, "--units", 10**12)
    page = cnn_train("learn", "params", *options).stdout
    assert page.startswith("An image of 100,000,000×100,000,000×1, 1,000,000,000,000 hidden units")
    row = ["fully", "connected", "1.000e+16", "1.000e+28", "1,000,000,000,000", "4.0e+28", "B"]
    assert row in rows(page)


@pytest.mark.parametrize("page", ["forward-mode", "reverse-mode"])
def test_the_traces_say_of_which_outputs_the_slopes_are_a_choice(
    cnn_train: Run, tmp_path: Path, page: str
) -> None:
    options = ("--expr", "x*y", "--expr", "max(x,y)", "--expr", "relu(x-1)-relu(1-x)")
    outcome = cnn_train("learn", page, *options, "--at", "1,1", "--out", tmp_path / "kink.svg")
    text = " ".join(outcome.stdout.split())
    assert "f2 has a kink here: along x the slope is 0 from the left and 1 from the right" in text
    assert "kinks of f3's parts meet here: along x the slope is 1 on both sides, not 0" in text
    assert "f1 has" not in text and "It is no derivative of f there." in text
    drawn = (tmp_path / "kink.svg").read_text("utf-8")
    assert "kink" in drawn and "choice" in drawn
    kinks = cnn_train("learn", page, *options, "--at", "1,1", "--json").document["kinks"]
    assert [[one["name"] for one in output] for output in kinks] == [[], ["x", "y"], ["x"]]
    smooth = cnn_train("learn", page, *options, "--at", "2,3", "--out", tmp_path / "kink.svg")
    assert "kink" not in smooth.stdout
    assert "kink" not in (tmp_path / "kink.svg").read_text("utf-8")


def test_slope_at_a_kink_measures_one_side(cnn_train: Run) -> None:
    options = ("--expr", "max(x,y)", "--at", "1,1", "--directions", 0, "--json")
    found = cnn_train("learn", "slope", *options).document
    along, _, across, *_ = found["directions"]
    assert along["numeric"] == pytest.approx(0.5**0.5, abs=1e-6)
    assert across["numeric"] == pytest.approx(0.5**0.5, abs=1e-6)  # max(d1, d2), not 0
    assert found["largest_difference"] > 0.9


@pytest.mark.parametrize("page", ["diff", "slope"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--expr", "x*y", "--expr", "sin(x)"), "--expr sin(x): "),
        (("--h", "0"), "--h 0: take a step from 1e-"),
        (("--h", "nan"), "--h nan: take a step"),
        (("--h", "2"), "--h 2: take a step"),
    ],
)
def test_pages_of_one_function_refuse_several_and_steps_that_are_too_small_or_large(
    cnn_train: Run, page: str, options: tuple[str, ...], message: str
) -> None:
    outcome = cnn_train("learn", page, *options, "--at", "1,1")
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert f"error: {message}" in outcome.stderr


def test_a_step_over_the_edge_is_blamed_on_the_step(cnn_train: Run) -> None:
    outcome = cnn_train("learn", "slope", "--expr", "sqrt(x)+y", "--at", "1e-7,1")
    assert outcome.exit_code == 2
    assert "a step of --h leads there, choose a smaller one" in outcome.stderr
    options = ("--expr", "sqrt(x)+y", "--at", "1e-7,1", "--h", "1e-9")
    assert cnn_train("learn", "slope", *options).exit_code == 0


FORMULA = ("--expr", "tanh(w*x+b)**2/sqrt(x)", "--at", "b=0.1,w=0.2,x=0.3")


@pytest.mark.parametrize(
    "command",
    [
        ("reverse-mode", *FORMULA),
        ("slope", *FORMULA),
        ("diff", *FORMULA),
        ("loss", "hinge"),
        ("loss", "cross_entropy", "--set", "loss.label_smoothing=0.1"),
    ],
)
def test_no_word_and_no_number_is_broken_in_a_narrow_window(
    cnn_train: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    wide = cnn_train("learn", *command).stdout
    monkeypatch.setattr(console.stdout, "width", 40)
    narrow = cnn_train("learn", *command).stdout
    words = [word for row in rows(wide) if not {"ms", "µs"} & set(row) for word in row]
    assert sum(word[-1].isdigit() and "." in word for word in words) > 20
    assert set(words) <= set(narrow.split())


def test_the_picture_hands_each_contribution_back_along_its_arrow(
    cnn_train: Run, tmp_path: Path
) -> None:
    cnn_train("learn", "reverse-mode", "--out", tmp_path / "r.svg")
    drawn = (tmp_path / "r.svg").read_text("utf-8")
    assert all(f"<!-- {words} -->" in drawn for words in ("-0.416", "3", "2", "v̄1 = 2.583853"))
    assert "green: the adjoint" in drawn


EVENTS = re.compile(r'<script type="application/json" id="events">(.*?)</script>', re.DOTALL)


def played(cnn_train: Run, path: Path, *options: str) -> Any:
    """Return what a page that was written plays; nothing of it is fetched from elsewhere."""
    assert cnn_train("learn", *options, "--out", path).exit_code == 0
    page = path.read_text("utf-8")
    assert not re.search(r'(src|href)="(?!#|data:)', page) and "@import" not in page
    (events,) = EVENTS.findall(page)
    return json.loads(events)


def test_the_page_of_reverse_mode_plays_the_tape_and_then_the_adjoints(
    cnn_train: Run, tmp_path: Path
) -> None:
    data = played(cnn_train, tmp_path / "r.html", "reverse-mode")
    (one_pass,) = data["passes"]
    tape, (seed, *handed) = one_pass["events"][:5], one_pass["events"][5:]
    assert [event["slot"] for event in tape] == ["value"] * 5
    assert (seed["node"], seed["number"], seed["rule"]) == (4, 1.0, "∂f/∂f")
    told = [(event["name"], event["rule"], event["last"]) for event in handed]
    assert told == [
        ("v̄3", "v̄5", True), ("v̄4", "v̄5", True), ("v̄1", "v̄4·cos(v1)", False),
        ("v̄1", "v̄3·v2", True), ("v̄2", "v̄3·v1", True),
    ]  # fmt: skip
    assert handed[3]["part"] == 3 and handed[3]["number"] == pytest.approx(3 + math.cos(2))
    targets = [data["edges"][event["edge"]]["to"] for event in handed]
    assert targets == [4, 4, 3, 2, 2]  # an arrow ends at the node that hands something back
    assert [box["kind"] for box in data["boxes"]] == ["input", "input", "*", "sin", "output"]


def test_the_page_of_forward_mode_plays_a_pass_per_input(cnn_train: Run, tmp_path: Path) -> None:
    passes = played(cnn_train, tmp_path / "f.html", "forward-mode")["passes"]
    assert [one["title"] for one in passes] == ["Forward along x1", "Forward along x2"]
    assert [event["slot"] for event in passes[0]["events"]] == ["value", "slope"] * 5
    ends = [one["events"][-1] for one in passes]
    assert [end["number"] for end in ends] == pytest.approx([3 + math.cos(2), 2])
    assert all(end["rule"] == "v̇3 + v̇4" and end["last"] for end in ends)


def test_several_outputs_are_several_passes_and_a_square_has_two_arrows(
    cnn_train: Run, tmp_path: Path
) -> None:
    options = ("reverse-mode", "--expr", "x*x", "--expr", "x-y", "--at", "2,3")
    data = played(cnn_train, tmp_path / "r.html", *options)
    assert [one["title"] for one in data["passes"]] == ["Backward from f1", "Backward from f2"]
    square = [event for event in data["passes"][0]["events"] if "edge" in event]
    assert [event["edge"] for event in square] == [0, 1]
    assert [event["number"] for event in square] == [2, 4]


def test_nothing_in_a_formula_ends_the_script_of_its_page() -> None:
    assert "</script><b>" not in render_player({"boxes": [], "name": "</script><b>"})


def test_outputs_have_their_names_in_the_picture(cnn_train: Run, tmp_path: Path) -> None:
    options = ("--expr", "x*y", "--expr", "x+y", "--expr", "y", "--out", tmp_path / "g.svg")
    cnn_train("learn", "graph", *options)
    drawn = (tmp_path / "g.svg").read_text("utf-8")
    assert all(name in drawn for name in ("v2 = y = f3", "= f1", "= f2"))
