"""``cnn-train fit --resume RUN@STEP --branch NAME``, and how branches and kept states are shown."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint
from cnn_train.runs.branch import departure, load_branch
from cnn_train.runs.directory import RunDirectory
from cnn_train.runs.summary import read_run

Run = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("no_pictures")

CLOCKS = ("seconds", "images_per_second")


@pytest.fixture(scope="module")
def kept_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Name the folder where the parent lies, once it is trained."""
    return tmp_path_factory.mktemp("kept") / "runs"


@pytest.fixture
def parent(cnn_train: Run, tiny_config: Path, kept_runs: Path) -> Path:
    """Train four epochs of three updates; the states 0, 1, 2, 3, 4, 5, 6, 10 and 12 stay."""
    if not kept_runs.exists():
        checkpoint = "checkpoint={keep_history: log, keep_steps: [3, 4, 6]}"
        options = ("--name", "parent", "--set", "epochs=4", "--set", "ema_decay=0.5")
        assert (
            cnn_train("fit", "--config", tiny_config, "--set", checkpoint, *options).exit_code == 0
        )
        shutil.copytree("runs", kept_runs, symlinks=True)
    else:
        shutil.copytree(kept_runs, "runs", symlinks=True)
    run = Path("runs") / Path("runs/latest").readlink()
    assert list(RunDirectory(run).history) == [0, 1, 2, 3, 4, 5, 6, 10, 12]
    return run


@pytest.fixture
def branch(cnn_train: Run, parent: Path) -> Callable[..., Any]:
    """Return a function that branches from an update of the parent."""

    def branch(step: int | None, *settings: str, options: tuple[object, ...] = ()) -> Any:
        place = parent if step is None else f"{parent}@{step}"
        changes = [word for setting in settings for word in ("--set", setting)]
        return cnn_train("fit", "--resume", place, "--branch", "child", *changes, *options)

    return branch


def latest() -> RunDirectory:
    return RunDirectory(Path("runs/latest").resolve())


def fingerprints(folder: Path) -> dict[str, str]:
    files = filter(Path.is_file, folder.rglob("*"))
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return all that a state holds, but for the clocks of its records."""
    records = [{k: v for k, v in r.items() if k not in CLOCKS} for r in checkpoint.records]
    return vars(checkpoint) | {"records": records}


def assert_equal_bits(found: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_equal_bits(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert_equal_bits(ours, theirs)
    else:
        assert found == expected


@pytest.mark.parametrize("step", [0, 3, 10])
def test_a_branch_that_changes_nothing_is_its_run_bit_for_bit(
    branch: Run, parent: Path, step: int
) -> None:
    """At the beginning, at the end of an epoch, and within one."""
    before, ours = fingerprints(parent), RunDirectory(parent)
    outcome = branch(step)
    assert outcome.exit_code == 0, outcome.stderr
    child = latest()
    assert child.name == "child" and fingerprints(parent) == before
    assert f"a branch of {parent.name} from update {step} on" in outcome.stderr
    for number in (step, 12):  # its first state, and where it ends
        expected = facts(load_checkpoint(ours.history[number]))
        found = facts(load_checkpoint(child.history[number]))
        for records in (found["records"], expected["records"]):
            for record in records:  # of the best, perhaps no checkpoint was left to take along
                del record["best_epoch"]
        assert_equal_bits(found, expected)
    assert len(child.load_metrics()) == 4
    assert child.resolved_config.read_bytes() == ours.resolved_config.read_bytes()


def test_only_what_is_set_changes_and_from_there_on_alone(branch: Run, parent: Path) -> None:
    outcome = branch(3, "optimizer.lr=0.5", options=("--json",))
    assert "changed on the way: optimizer.lr: 0.01 before, 0.5 now" in outcome.stderr
    child = latest()
    assert outcome.document["run_dir"] == str(Path("runs") / child.path.name)
    first, last = load_checkpoint(child.history[3]), load_checkpoint(child.last_checkpoint)
    change = {"key": "optimizer.lr", "before": 0.01, "after": 0.5}
    assert last.config_changes == [{"step": 3} | change]
    kept = load_checkpoint(RunDirectory(parent).history[3])
    assert_equal_bits(first.model, kept.model)
    assert_equal_bits(first.records, kept.records)
    assert not torch.equal(last.model["fc.weight"], load_checkpoint(parent / "last.ckpt").model[
        "fc.weight"])  # fmt: skip
    assert "lr: 0.5\n" in child.resolved_config.read_text()
    came_from = load_branch(child)
    assert came_from and (came_from.parent, came_from.step) == (parent.name, 3)
    written = json.loads(child.origin.read_text())
    assert written["changes"] == [change] and written["parent_dir"] == str(parent.resolve())
    assert departure(child) == 3 and departure(RunDirectory(parent)) is None


def test_a_branch_without_a_step_leaves_the_last_state_and_is_resumed_as_any_run(
    cnn_train: Run, branch: Run, parent: Path
) -> None:
    assert branch(None).exit_code == 2  # nothing is left to train
    assert branch(None, "epochs=5").exit_code == 0
    child = latest()
    assert load_branch(child).step == 12  # type: ignore[union-attr]
    last = load_checkpoint(child.last_checkpoint)
    assert last.step == 15
    child.last_checkpoint.unlink()
    child.states[15].unlink()
    child.history[15].unlink()
    assert cnn_train("fit", "--resume", "runs/latest").exit_code == 0
    assert_equal_bits(load_checkpoint(child.last_checkpoint).model, last.model)
    assert load_branch(child).step == 12  # type: ignore[union-attr]


def test_the_best_so_far_comes_along_or_is_said_to_be_lost(branch: Run, parent: Path) -> None:
    for step in (6, 10):  # of epochs 1 and 2 the states stayed, of epoch 3 it did not
        kept = load_checkpoint(RunDirectory(parent).history[step]).records
        outcome = branch(step)
        found = load_checkpoint(latest().history[step]).records[-1]["best_epoch"]
        if found != kept[-1]["best_epoch"]:
            assert re.search(r"best.ckpt is epoch|no checkpoint is left", outcome.stderr)
        assert found in (0, 1, kept[-1]["best_epoch"])


def test_another_optimizer_starts_anew_and_its_decay_is_its_own(branch: Run) -> None:
    outcome = branch(6, "optimizer={name: adamw, lr: 0.001}")
    assert outcome.exit_code == 0, outcome.stderr
    assert "adamw: its state starts anew" in outcome.stderr
    child = latest()
    assert not load_checkpoint(child.states[12]).config["optimizer"].get("momentum")
    counts = [s["step"] for s in load_checkpoint(child.last_checkpoint).optimizer["state"].values()]
    assert {int(count) for count in counts} == {6}
    assert branch(6, "loss={name: hinge}", "batch_size=10", "seed=5").exit_code == 0


@pytest.mark.parametrize(
    ("step", "change", "code", "words"),
    [
        (3, "model={name: mlp}", 2, "model.name: linear before, mlp now"),
        (3, "data.image_size=20", 2, "data.image_size: 16 before, 20 now: a branch has the netwo"),
        (3, "normalization=imagenet", 2, "normalization: auto before, imagenet now"),
        (4, "batch_size=10", 4, "in the middle of an epoch"),
        (4, "optimizer={name: gd}", 4, "in the middle of an epoch"),
        (6, "epochs=2", 2, "epochs: 2, and 2 are done at update 6, so a branch would train nothin"),
        (7, "epochs=9", 4, "@7: no state of update 7 is kept; there are 0, 1, 2, 3, 4, 5, 6, 10,"),
    ],
)
def test_what_leaves_no_meaning_to_the_state_is_refused_in_one_line(
    branch: Run, step: int, change: str, code: int, words: str
) -> None:
    refused = branch(step, change)
    assert refused.exit_code == code
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert words in line and "Traceback" not in refused.stderr
    assert len([path for path in Path("runs").iterdir() if not path.is_symlink()]) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--resume", "PARENT@3"), "add --branch NAME"),
        (("--branch", "x"), "--branch goes with --resume RUN@STEP"),
        (("--branch", "x", "--resume", "auto"), "--branch goes with --resume RUN@STEP"),
        (("--branch", "a/b", "--resume", "PARENT@3"), "--branch a/b: use letters"),
        (("--branch", "x", "--resume", "PARENT@3", "--name", "y"), "--name does not go with"),
        (("--branch", "x", "--resume", "PARENT@3", "--new-head"), "--new-head does not go with"),
        (("--seeds", "2", "--branch", "x", "--config", "tiny.yaml"), "--seeds goes"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    cnn_train: Run, parent: Path, words: tuple[str, ...], message: str
) -> None:
    refused = cnn_train("fit", *(word.replace("PARENT", str(parent)) for word in words))
    assert refused.exit_code == 2 and message in refused.stderr


def test_a_dry_run_of_a_branch_writes_nothing(cnn_train: Run, branch: Run, parent: Path) -> None:
    before = fingerprints(Path("runs"))
    outcome = branch(3, options=("--dry-run",))
    assert outcome.exit_code == 0 and "nothing is written" in outcome.stderr
    settings = ("--set", "epochs=5", "--dry-run")
    outcome = cnn_train("fit", "--resume", "runs/best", "--branch", "x", *settings)
    assert f"a branch of {parent.name} from update 12 on" in outcome.stderr
    assert fingerprints(Path("runs")) == before


def test_runs_and_compare_show_where_a_branch_left_its_run(
    cnn_train: Run, branch: Run, parent: Path
) -> None:
    assert "branch of" not in cnn_train("runs").stdout
    branch(6, "optimizer.lr=0.02")
    child = Path("runs") / latest().path.name
    assert re.search(rf"{child} +parent@6 ", cnn_train("runs", "--where", "parent_step=6").stdout)
    summary = cnn_train("runs", "--json").document["runs"][1]
    assert (summary["parent"], summary["parent_step"]) == (parent.name, 6)
    outcome = cnn_train("compare", parent, child)
    assert outcome.exit_code == 0, outcome.stderr
    assert "B leaves A after update 6" in outcome.stdout
    assert re.search(r"^optimizer.lr +0.01 +0.02 *$", outcome.stdout, re.MULTILINE)
    assert f"A leaves {parent.name} after" in cnn_train("compare", child, f"{child}@6").stdout
    assert cnn_train("report", "runs/latest@6", "--out", "r.html").exit_code == 0
    latest().origin.write_text("{}")
    assert read_run(latest())[0].damaged == "branch.json: parent: Field required"


def test_a_state_is_named_wherever_a_checkpoint_is_asked_for(cnn_train: Run, parent: Path) -> None:
    runs, state = {"latest": 1, "best": 2, parent.name: 6}, RunDirectory(parent).history
    for name, step in runs.items():
        found = cnn_train("checkpoint", "show", f"runs/{name}@{step}", "--json").document
        assert found["step"] == step and Path(found["path"]).samefile(state[step])
    measured = cnn_train("evaluate", f"{parent}@6", "--split", "val", "--json").document
    assert measured["accuracy"] == load_checkpoint(state[6]).val_accuracy
    assert cnn_train("visualize", "filters", f"{parent}@0", "--json").exit_code == 0
    assert cnn_train("checkpoint", "verify", f"{parent}@0").exit_code == 0
    refused = cnn_train("predict", "x.png", "--checkpoint", f"{parent}@9999")
    assert refused.exit_code == 4 and "there are 0, 1, 2" in refused.stderr
    assert cnn_train("runs", "remove", f"{parent}@6", "--yes").exit_code == 4
    compared = cnn_train("compare", f"{parent}@6", parent, "--json").document
    assert [run["epochs_done"] for run in compared["runs"]] == [2, 4]
    assert compared["paired"]["models"][0] == f"{parent}@6"
    assert compared["paired"]["num_correct"][0] == round(
        measured["accuracy"] * compared["paired"]["num_images"]
    )


def test_set_back_to_a_file_of_the_history_what_stayed_later_goes_and_comes_again(
    cnn_train: Run, parent: Path
) -> None:
    run = RunDirectory(parent)
    expected = {step: load_checkpoint(path).model for step, path in run.history.items()}
    outcome = cnn_train("fit", "--resume", run.history[4])
    assert outcome.exit_code == 0, outcome.stderr
    assert "going back to step-00000004.ckpt; will be deleted: epochs 2 to 4, " in outcome.stderr
    assert "history/step-00000005.ckpt" in outcome.stderr
    for step, path in run.history.items():
        assert_equal_bits(load_checkpoint(path).model, expected.pop(step))
    assert not expected
    lines = run.metrics.read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [3, 6, 9, 12]
