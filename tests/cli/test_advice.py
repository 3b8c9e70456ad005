"""What a command advises works in the state in which it is advised: every such line is run."""

import ast
import itertools
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from cnn_train.cli.process.stop_signal import SignalsHeard

PACKAGE = Path(__file__).parents[2] / "cnn_train"

ADVICE = re.compile(
    r"cnn-train [a-z]+ |`cnn-train |fit --|--split |next: |[Gg]o on (with|from)\b|` lists "
    r"|--[a-z-]+ leaves"
    r"|\b(use|try|add|name|give|with|by|set|needs|missing|without)\b[^.;]* --[a-z]"
)

RUN_HERE = (
    "next: ", "cnn-train evaluate ", "measure on --split val", "Go on with: ",
    "cnn-train fit --config CONFIG", "lists runs", "asked for, {} done or begun",
    "cnn-train predict IMAGE", "cnn-train checkpoint import", "replace it with --force",
    "to go on with the new ones, add", "start a new run from its weights",
    "start a new run from them", "start a new run, if you like", "config copy NAME",
    "--new-head leaves", "leave it out, or use --resume auto", "is usable here",
    "add --out FILE.png", "Layer by layer", "network has no", "choose one with: ",
    "name one --layer", "fit needs --config", "--set goes with --config", "edit it, then: ",
    "fit --sanity looks for the reason", "--at is missing", "goes with --checkpoint",
    "fit --resume ", "--set: needs --config", " --split val",
)  # fmt: skip
"""Parts of the texts whose advice a test of this file follows."""

NOT_RUN = {
    "what cannot be had here: a network, a GPU, an Apple machine": (
        "cnn-train data get", "--offline forbids", "the GPU failed", "no Apple GPU",
        "start fewer processes", "which mps lacks", "a GPU gives the same bits twice",
        "Go on from its last checkpoint",
    ),
    "a disk that is full or closed, a home that is unknown": (
        "the disk is full", "that can be written with --data-dir", "HOME is not set",
    ),
    "lets the user choose, without a spelling to run": (
        "too close to kinks", "use saliency", "use --projection pca",
        "name the right images with --data-root", "has no severities to draw",
        "playground --help",
        "goes with --resume", "goes with --weights",
        "are written by `cnn-train fit`", "(`cnn-train gradcheck` tells)",
        "reads the loss alone", "it goes with --tta flip",
    ),
    "followed by the tests of its own command": (
        "confirm with --yes", "own options stand behind it", "see fit --sanity --dry-run",
        "give another --name, or remove it", "its name ends in", "that `cnn-train export` wrote",
        "since `cnn-train export` wrote", "models show` lists all", "training images are augmented",
        "--config and --space as files", "or more --updates", "runs --group-by name",
        "--seeds goes with --config", "makes it so", "give either --mine", "with --plane path",
        "start a new run: fit --config CONFIG", "add --branch NAME", "set more with --set epochs",
        "keep_history=log", "give --config, for a first step",
    ),
    "no advice": (
        "no run to go on with", "run to go on with", "a command without a picture",
        "--name --weights --new-head", "fit --config \\S+", "NAME is its name",
    ),
}  # fmt: skip
"""Why some advice is not run, and parts of its texts."""


def list_texts(path: Path) -> list[str]:
    """Return the strings of a module that it can show: no docstrings, no help of options."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    texts = []
    for node in ast.walk(tree):  # parents come before what they hold
        called = node.func if isinstance(node, ast.Call) else None
        name = getattr(called, "attr", getattr(called, "id", ""))
        if isinstance(node, ast.Expr) or name in ("Option", "Argument", "Typer", "Field"):
            skipped |= set(ast.walk(node)) if not isinstance(node, ast.Expr) else {node.value}
        if node in skipped:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            texts.append("".join(map(str, parts)))
            skipped |= set(node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    return texts


def test_every_advice_is_followed_here_or_said_why_not() -> None:
    known = [*RUN_HERE, *itertools.chain(*NOT_RUN.values())]
    advice = [t for path in PACKAGE.rglob("*.py") for t in list_texts(path) if ADVICE.search(t)]
    assert len(advice) > 40
    assert [text for text in advice if not any(part in text for part in known)] == []
    assert [part for part in known if not any(part in text for text in advice)] == []


@pytest.fixture
def images(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a folder dataset, named with a space, of the given splits."""

    def write(root: str, *splits: str, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
        for split, (level, name) in itertools.product(splits, enumerate(classes)):
            for i in range(8):
                path = tmp_path / root / split / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (8, 8), (90 * level + i, 0, 0)).save(path)
        (tmp_path / root).mkdir(exist_ok=True)
        return tmp_path / root

    return write


@pytest.fixture
def config(tmp_path: Path, images: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes a config of a linear network for such a dataset."""

    def write(*splits: str) -> Path:
        root = images("my images", *splits)
        path = tmp_path / "tiny.yaml"
        path.write_text(
            f"data: {{name: folder, root: '{root}', image_size: 8}}\nmodel: {{name: linear}}\n"
            f"optimizer: {{name: sgd, lr: 0.01}}\nbatch_size: 4\nepochs: 1\n"
        )
        return path

    return write


def find(pattern: str, text: str) -> list[str]:
    """Return the words of the command that the text advises, in the one group of ``pattern``."""
    found = re.search(pattern, text)
    assert found, text
    return shlex.split(found[1])[1 if found[1].startswith("cnn-train") else 0 :]


def fill_in(words: list[str], **places: object) -> list[object]:
    """Replace CONFIG, IMAGE and NAME by what they stand for."""
    return [places.get(word, word) for word in words]


def follow(cnn_train, words):
    done = cnn_train(*words)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.mark.parametrize(
    ("splits", "split"),
    [(("train", "test"), "test"), (("train",), "val"), (("train", "valid"), "val")],
)
def test_after_training_the_next_line_measures_on_images_that_there_are(
    cnn_train, config, tmp_path, splits, split
):
    places = ("--data-dir", tmp_path / "my data", "--run-root", "my runs")
    trained = follow(cnn_train, ["fit", "--config", config(*splits), *places])
    words = find(r"next: (cnn-train evaluate .*)", trained.stderr)
    assert words[-2:] == ["--data-dir", str(tmp_path / "my data")]
    assert f"on the {split} split" in follow(cnn_train, words).stdout


def interrupt(cnn_train, monkeypatch, config, *options):
    """Stop a training after its first minibatch."""
    with monkeypatch.context() as patch:
        patch.setattr(SignalsHeard, "should_stop", lambda self: True)
        return cnn_train("fit", "--config", config("train"), "--run-root", "my runs", *options)


def test_a_stopped_run_goes_on_as_it_says_and_says_so_again(
    cnn_train, config, images, monkeypatch, tmp_path
):
    stopped = interrupt(cnn_train, monkeypatch, config, "--data-dir", "my data")
    assert stopped.exit_code == 130
    words = find(r"Go on with: (cnn-train fit .*)", stopped.stderr)
    assert words[-2:] == ["--data-dir", "my data"]
    unfinished = cnn_train("evaluate", next((tmp_path / "my runs").glob("tiny-*")))
    assert unfinished.exit_code == 4
    moved = (tmp_path / "my images").rename(tmp_path / "moved")
    done = follow(cnn_train, [*words, "--data-root", moved])
    next_words = find(r"next: (cnn-train evaluate .*)", done.stderr)
    assert next_words[-2:] == ["--data-root", str(moved)]
    assert "on the val split" in follow(cnn_train, next_words).stdout
    moved.rename(tmp_path / "my images")
    follow(cnn_train, find(r"or go on with: (cnn-train fit .*)", unfinished.stderr))


def test_split_val_is_advised_only_where_it_helps(cnn_train, config, images):
    follow(cnn_train, ["fit", "--config", config("train", "test")])
    run = next(Path("runs").glob("tiny-*"))
    for splits, helps in (((), False), (("val",), False), (("train",), True)):
        command = ["evaluate", run, "--data-root", images(f"other {len(splits)} {helps}", *splits)]
        refused = cnn_train(*command)
        assert refused.exit_code == 3
        assert "has no folder 'test'" in refused.stderr
        assert ("or measure on --split val" in refused.stderr) == helps
        if helps:
            follow(cnn_train, [*command, "--split", "val"])


@pytest.mark.parametrize("root", ["runs", "my runs"])
def test_where_no_run_is_the_command_that_trains_one_trains_it_there(cnn_train, config, root):
    path = config("train")
    refused = cnn_train("runs", "--run-root", root)
    words = find(r"train one with:? `?(cnn-train fit [^`,\n]*)", refused.stderr)
    follow(cnn_train, fill_in(words, CONFIG=path))
    assert follow(cnn_train, ["runs", "--run-root", root]).stdout.count("tiny-") == 1


@pytest.mark.parametrize("command", [["evaluate"], ["fit", "--resume"]])
def test_where_a_run_is_absent_its_neighbours_are_listed(cnn_train, config, command):
    follow(cnn_train, ["fit", "--config", config("train"), "--run-root", "my runs"])
    Path("my runs/empty").mkdir()
    refused = cnn_train(*command, "my runs/empty")
    assert refused.exit_code == 4
    words = find(r"`(cnn-train runs[^`]*)` lists runs", refused.stderr)
    assert "tiny-" in follow(cnn_train, words).stdout


@pytest.mark.parametrize(("classes", "command"), [("cat,dog", "evaluate"), ("owl,fox", "predict")])
def test_imported_weights_are_of_use_as_the_refusal_and_the_import_say(
    cnn_train, config, tmp_path, classes, command
):
    path, image = config("train"), tmp_path / "my images/train/cat/0.png"
    state = {"layer.weight": torch.zeros(2, 192), "layer.bias": torch.zeros(2)}
    torch.save({"a": state, "b": state}, tmp_path / "two.pth")
    torch.save(state, tmp_path / "one.pth")
    for name in ("one.pth", "two.pth"):
        refused = cnn_train("evaluate", name)
        words = find(r"take its weights with: (cnn-train checkpoint import .*)", refused.stderr)
        more = ["--classes", classes, "--mean", "0,0,0", "--std", "1,1,1", "--out", f"{name}.ckpt"]
        if name == "two.pth":
            keyless = cnn_train(*fill_in(words[:3], CONFIG=path), "--config", path, *more)
            assert "choose one with: cnn-train checkpoint import" in keyless.stderr
        imported = follow(cnn_train, fill_in(words, CONFIG=path, NAME="a") + more)
        use = find(rf"use it with: (cnn-train {command} .*)", imported.stderr)
        follow(cnn_train, fill_in(use, IMAGE=image))
    again = cnn_train(*fill_in(words, CONFIG=path, NAME="a"), *more)
    assert "or replace it with --force" in again.stderr
    follow(cnn_train, [*fill_in(words, CONFIG=path, NAME="a"), *more, "--force"])
    head = [] if classes == "cat,dog" else ["--new-head"]
    resumed = cnn_train("fit", "--resume", f"{name}.ckpt")
    words = find(r"from its weights: (fit [^;\n]*)", resumed.stderr)
    follow(cnn_train, fill_in(words, CONFIG=path) + head)
    inside = next(Path("runs").glob("tiny-*")) / "weights.ckpt"
    inside.write_bytes(Path(f"{name}.ckpt").read_bytes())
    resumed = cnn_train("fit", "--resume", inside)
    words = find(r"from them: (fit [^;\n]*)", resumed.stderr)
    follow(cnn_train, fill_in(words, CONFIG=path, CHECKPOINT=inside) + head)


def test_settings_are_changed_on_the_way_or_in_a_new_run_as_said(cnn_train, config, monkeypatch):
    interrupt(cnn_train, monkeypatch, config)
    run = next(Path("my runs").glob("tiny-*"))
    smaller = ["--set", "batch_size=2", "--set", "epochs=2"]
    smaller += ["--allow-config-change", "batch_size", "--allow-config-change", "epochs"]
    refused = cnn_train("fit", "--resume", run, *smaller)
    assert "finish the epoch first" in refused.stderr
    assert "best.ckpt" not in refused.stderr
    changed = ["fit", "--resume", run, "--set", "optimizer.lr=0.02"]
    refused = cnn_train(*changed)
    follow(cnn_train, [*changed, *find(r"the new ones, add (--[^;\n]*)", refused.stderr)])
    follow(cnn_train, ["fit", "--resume", run, *smaller])
    named = cnn_train("fit", "--resume", run, "--name", "x")
    assert "use --resume auto" in named.stderr
    again = ["fit", "--config", "tiny.yaml", "--resume", "auto", "--name", "x"]
    follow(cnn_train, [*again, "--run-root", "my runs"])
    other = cnn_train("fit", "--resume", run, "--set", "model={name: lenet}")
    words = find(r"weights: (fit --config [^;\n]*)", other.stderr)
    follow(cnn_train, fill_in(words, CONFIG="tiny.yaml", CHECKPOINT=run))


def test_a_head_of_other_classes_is_left_fresh_as_said(cnn_train, config, images, tmp_path):
    follow(cnn_train, ["fit", "--config", config("train")])
    run = next(Path("runs").glob("tiny-*"))
    root = images("others", "train", classes=("owl", "fox"))
    command = ["fit", "--config", "tiny.yaml", "--set", f"data.root={root}", "--weights", run]
    refused = cnn_train(*command)
    assert "--new-head leaves" in refused.stderr
    follow(cnn_train, [*command, "--new-head"])


def test_more_epochs_are_asked_for_as_said(cnn_train, config):
    path = config("train")
    follow(cnn_train, ["fit", "--config", path, "--set", "epochs=2"])
    back = ["fit", "--resume", next(Path("runs").glob("tiny-*"))]
    refused = cnn_train(*back, "--set", "epochs=1", "--allow-config-change", "epochs")
    words = find(r"raise it by (--set epochs=N --allow-config-change epochs)", refused.stderr)
    follow(cnn_train, [*back, *(word.replace("N", "3") for word in words)])


def test_small_advice_works_too(cnn_train, config):
    """Each: a command, what its output says, and the words to add to it or to say instead."""
    path = config("train")
    follow(cnn_train, ["fit", "--config", path])
    run = next(Path("runs").glob("tiny-*"))
    cases: tuple[tuple[list[object], str, list[object], bool], ...] = (
        (["evaluate", run, "--split", "val", "--device", "cuda"], "use --device auto",
         ["evaluate", run, "--split", "val", "--device", "auto"], False),
        (["visualize", "filters", run], "add --out FILE.png", ["--out", "a.png"], True),
        (["models"], "cnn-train models show NAME", ["models", "show", "lenet"], False),
        (["models", "pretrained"], "cnn-train predict IMAGE --checkpoint pretrained:NAME",
         ["predict", "my images/train/cat/0.png", "--checkpoint", "pretrained:speedrun"], False),
        (["config", "list"], "Begin your own: cnn-train config copy NAME",
         ["config", "copy", "lenet_hinge"], False),
        (["config", "copy", "quickstart"], "edit it, then: cnn-train fit --config quickstart.yaml",
         ["fit", "--config", "quickstart.yaml", "--set", "data.num_train=60", "--dry-run"], False),
        (["fit"], "fit needs --config CONFIG, or --resume RUN", ["--config", path], True),
        (["fit", "--config", path, "--set", "optimizer.lr_factors={nonsense: 2}"],
         "`cnn-train models show NAME` lists its layers", ["models", "show", "linear"], False),
        (["checkpoint", "import", path, "--set", "seed=1"], "--set: needs --config",
         ["config", "check", path], False),
        (["learn", "slope", "--expr", "x**2"], "--at is missing", ["--at", "3"], True),
        (["learn", "slope", "--expr", "x**2", "--at", "3", "--set", "seed=1"],
         "--set goes with --config", ["learn", "slope", "--config", path, "--set", "seed=1"],
         False),
    )  # fmt: skip
    for command, advice, words, is_added in cases:
        if "cuda" in command and torch.cuda.is_available():
            continue
        said = cnn_train(*command)
        assert advice in said.stdout + said.stderr, said
        follow(cnn_train, [*command, *words] if is_added else words)
