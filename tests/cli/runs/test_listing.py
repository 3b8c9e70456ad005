import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from resolved_config import resolved

from cnn_train.cli import console
from cnn_train.runs.directory import RunDirectory

Run = Callable[..., Any]


@pytest.fixture
def two_runs(tmp_path: Path) -> list[RunDirectory]:
    """Make a finished run and one that has only begun."""
    runs = []
    for name, loss, accuracies in (("[bold]a", "hinge", (0.25, 0.5)), ("b", "cross_entropy", ())):
        run = RunDirectory.create(tmp_path / "runs", name)
        run.resolved_config.write_text(resolved(loss=f"{{name: {loss}}}"))
        records = [
            {"epoch": e, "val_accuracy": a, "val_loss": 2 - a, "seconds": 40, "best_epoch": e}
            for e, a in enumerate(accuracies)
        ]
        run.save_metrics(records)
        runs.append(run)
    return runs


def test_runs_are_listed_with_their_results_oldest_first(
    cnn_train: Run, two_runs: list[RunDirectory]
) -> None:
    result = cnn_train("runs")
    assert result.exit_code == 0
    heading, first, second = result.stdout.splitlines()
    assert heading.split("  ")[0] == "run"
    started = [run.path.name.split("-")[-3:-1] for run in two_runs]
    (day, time), (other_day, other_time) = (
        (f"{day[:4]}-{day[4:6]}-{day[6:]}", f"{time[:2]}:{time[2:4]}:{time[4:]}")
        for day, time in started
    )
    assert first.split() == [
        f"runs/{two_runs[0].path.name}", day, time, "shapes", "vgg16", "hinge",
        "0.05", "128", "0", "2/9", "50.00", "%", "1.5", "2", "1:20",
    ]  # fmt: skip
    assert second.split() == [
        f"runs/{two_runs[1].path.name}", other_day, other_time, "shapes", "vgg16", "cross_entropy",
        "0.05", "128", "0", "0/9", "—", "—", "—", "0:00",
    ]  # fmt: skip


def test_what_is_listed_is_what_other_commands_take(cnn_train: Run, tiny_config: Path) -> None:
    cnn_train("fit", "--config", tiny_config, "--run-root", "deep/er", "--set", "epochs=1")
    listed = cnn_train("runs", "--run-root", "deep/er").stdout.splitlines()[1].split()[0]
    assert cnn_train("evaluate", listed).exit_code == 0
    assert cnn_train("fit", "--resume", listed).exit_code == 0


def test_runs_are_one_json_document(cnn_train: Run, two_runs: list[RunDirectory]) -> None:
    runs = cnn_train("runs", "--json").document["runs"]
    assert [run["val_accuracy"] for run in runs] == [0.5, None]
    assert [run["best_epoch"] for run in runs] == [1, None]
    assert [run["val_loss"] for run in runs] == [1.5, None]
    expected = {"loss": "hinge", "lr": 0.05, "batch_size": 128, "seed": 0, "best_by": "accuracy"}
    assert {key: runs[0][key] for key in expected} == expected
    day = time.strftime("%Y-%m-%dT")
    assert all(run["started"].startswith(day) for run in runs)


def test_what_tells_runs_apart_stays_in_80_columns(
    cnn_train: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version, seed, rate in ((1, 0, 0.05), (2, 1, 0.05), (2, 2, 0.1)):
        run = RunDirectory.create(tmp_path / "runs", "resnet20_twice")
        root = f"{{name: folder, root: /home/me/photographs/v{version}/images}}"
        optimizer = f"{{name: sgd, lr: {rate}}}"
        run.resolved_config.write_text(resolved(data=root, optimizer=optimizer, seed=seed))
    monkeypatch.setattr(console.stdout, "width", 80)
    heading, *rows = cnn_train("runs").stdout.splitlines()[:4]
    assert heading.split()[:4] == ["run", "data", "lr", "epochs"]
    assert sorted(row.split()[1] for row in rows) == ["v1/images", "v2/images", "v2/images"]
    roots = [run["data_root"] for run in cnn_train("runs", "--json").document["runs"]]
    assert sorted(roots)[0] == "/home/me/photographs/v1/images"
    monkeypatch.setattr(console.stdout, "width", 100)
    assert cnn_train("runs").stdout.split()[:4] == ["run", "data", "lr", "seed"]


@pytest.mark.usefixtures("two_runs")
def test_another_folder_of_runs_can_be_named(cnn_train: Run) -> None:
    assert cnn_train("runs", "--run-root", "elsewhere", "--json").document == {"runs": []}


def test_without_runs_the_list_says_how_to_make_one(cnn_train: Run) -> None:
    result = cnn_train("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no runs below runs; train one with: cnn-train fit --config" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("resolved.yaml", "", "model.name: Field required"),
        ("resolved.yaml", "model: 3", "model: Input should be a valid string"),
        ("resolved.yaml", resolved(optimizer="{name: sgd, lr: .nan}"), "lr: Input should be a fin"),
        ("resolved.yaml", resolved(seed="true"), "seed: Input should be a valid integer"),
        ("resolved.yaml", "a: [", "resolved.yaml:1:5: the file ends"),
        ("resolved.yaml", None, "resolved.yaml: cannot be read (not a regular file)"),
        ("metrics.jsonl", None, "metrics.jsonl: cannot be read (not a regular file)"),
        ("metrics.jsonl", '{"epoch": null}\n', "metrics.jsonl: [0].epoch: Input should be"),
        ("metrics.jsonl", '{"epoch": 0, "val_accuracy": 1}\n', "no 'seconds' in a record"),
        ("metrics.jsonl", '{"epoch": 0, "val_accuracy": 7, "seconds": 1}\n', "val_accuracy: Input"),
    ],
)
def test_a_damaged_run_says_why_and_hides_no_other(
    cnn_train: Run, two_runs: list[RunDirectory], name: str, content: str | None, reason: str
) -> None:
    good = cnn_train("runs", "--json").document["runs"][0]
    path = two_runs[1].path / name
    path.unlink()
    os.mkfifo(path) if content is None else path.write_text(content)
    os.utime(path, (2**33, 2**33))
    page = cnn_train("runs").stdout.splitlines()
    assert page[1].split()[-4:] == ["%", "1.5", "2", "1:20"]
    assert f"runs/{two_runs[1].path.name} damaged: " in page[2]
    first, damaged = cnn_train("runs", "--json").document["runs"]
    assert first == good and first["damaged"] is None
    assert reason in damaged["damaged"] and damaged.keys() == good.keys()
    assert damaged["run_dir"] == f"runs/{two_runs[1].path.name}" and damaged["epochs"] is None


def test_a_name_of_two_lines_takes_one(cnn_train: Run, two_runs: list[RunDirectory]) -> None:
    two_runs[1].path.rename(two_runs[1].path.with_name("b\n\x1b[31mc\udcff"))
    assert "runs/b\\n\\x1b[31mc" in cnn_train("runs").stdout.splitlines()[2]


def test_a_run_that_diverged_is_told_from_one_that_was_stopped(
    cnn_train: Run, two_runs: list[RunDirectory]
) -> None:
    two_runs[1].divergence.write_text("{}")
    _, first, second = cnn_train("runs").stdout.splitlines()
    assert "diverged" not in first and "diverged 0/9" in second
    runs = cnn_train("runs", "--json").document["runs"]
    assert [run["diverged"] for run in runs] == [False, True]


@pytest.mark.parametrize(
    ("roots", "shown"),
    [
        (["/home/me/flowers"], ["flowers"]),
        (["flowers"], ["flowers"]),
        (["/a/v1/images", "/a/v2/images"], ["v1/images", "v2/images"]),
        (["/a/cats", "/b/dogs", "/a/cats"], ["a/cats", "b/dogs", "a/cats"]),
    ],
)
def test_folders_of_images_are_told_apart_by_the_ends_of_their_paths(
    cnn_train: Run, tmp_path: Path, roots: list[str], shown: list[str]
) -> None:
    for number, root in enumerate(roots):
        run = RunDirectory.create(tmp_path / "runs", f"run{number}")
        run.resolved_config.write_text(resolved(data=f"{{name: folder, root: {root}}}"))
    assert [row.split()[3] for row in cnn_train("runs").stdout.splitlines()[1:]] == shown


ALIKE = "started, time, seed, batch, model, lr, data"


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (36, f"{ALIKE}, val loss, loss"),
        (50, f"{ALIKE}, val loss, loss"),
        (60, f"{ALIKE}, val loss, loss"),
        (80, ALIKE),
        (120, "started"),
        (200, ""),
    ],
)
def test_in_a_narrow_window_results_stay_and_what_is_left_out_is_named(
    cnn_train: Run,
    two_runs: list[RunDirectory],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    left_out: str,
) -> None:
    monkeypatch.setattr(console.stdout, "width", width)
    page = cnn_train("runs").stdout
    assert max(map(len, page.splitlines())) <= width and "…" not in page
    first = next(line for line in page.splitlines() if line.startswith("runs/[bold]a"))
    assert "50.00 %" in first and "2/9" in first
    note = re.search("No room in this window for (.*?); --json", " ".join(page.split()))
    assert (note.group(1) if note else "") == left_out


def test_a_long_name_of_a_run_is_folded_whole_beside_its_results(
    cnn_train: Run, tmp_path: Path, two_runs: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = RunDirectory.create(tmp_path / "runs", 9 * "a_long_name_")
    long.resolved_config.write_text(two_runs[0].resolved_config.read_text())
    monkeypatch.setattr(console.stdout, "width", 80)
    _, *rows = cnn_train("runs").stdout.splitlines()
    assert f"runs/{long.path.name}" in "".join(row[:40].strip() for row in rows)


@pytest.fixture
def many(tmp_path: Path) -> dict[str, RunDirectory]:
    """Make four runs of two models and three rates: finished but for one; one is damaged."""
    runs = {}
    for name, model, rate, seed, epochs, accuracy in (
        ("a", "vgg16", 0.1, 0, 9, 0.8),
        ("b", "vgg16", 0.05, 1, 9, 0.9),
        ("c", "lenet", 0.01, 1, 9, 0.6),
        ("d", "lenet", 0.01, 2, 3, 0.7),
        ("e", "lenet", 0.01, 2, 0, None),
    ):
        run = RunDirectory.create(tmp_path / "runs", name)
        run.resolved_config.write_text(
            resolved(
                model=f"{{name: {model}, width: {seed}}}",
                optimizer=f"{{name: sgd, lr: {rate}}}",
                seed=seed,
            )
        )
        os.utime(run.resolved_config, (ord(name), ord(name)))
        run.save_metrics(
            [
                {"epoch": e, "val_accuracy": accuracy, "seconds": 10, "best_epoch": 0}
                for e in range(epochs)
            ]
        )
        runs[name] = run
    runs["e"].resolved_config.write_text("a: [")
    os.utime(runs["e"].resolved_config, (ord("e"), ord("e")))
    return runs


def names(outcome: Any) -> str:
    found = outcome.document["runs"]
    return "".join(Path(run["run_dir"]).name[0] for run in found)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", "abcde"),
        ("--sort val_accuracy", "cdabe"),
        ("--sort -val_accuracy", "badce"),
        ("--sort -name", "edcba"),
        ("--sort optimizer.lr", "cdbae"),
        ("--sort -optimizer.lr", "abcde"),
        ("--where model=lenet", "cd"),
        ("--where model!=lenet", "abe"),
        ("--where model.name=lenet --where seed=1", "c"),
        ("--where optimizer.lr>=0.05", "ab"),
        ("--where optimizer.lr<0.05", "cd"),
        ("--where optimizer.lr==1e-2", "cd"),
        ("--where val_accuracy>70%", "ab"),
        ("--where epochs_done<=3 --sort seed", "d"),
        ("--where model=resnet20", ""),
    ],
)
def test_runs_are_sorted_and_filtered_by_results_and_by_any_setting(
    cnn_train: Run, options: str, expected: str
) -> None:
    outcome = cnn_train("runs", "--json", *options.split())
    assert names(outcome) == expected
    assert ("1 damaged left out" in outcome.stderr) == ("e" not in expected)


@pytest.mark.usefixtures("many")
def test_chosen_columns_stand_between_the_run_and_its_result(cnn_train: Run) -> None:
    options = ("--columns", "optimizer.lr, seed,size", "--sort", "name")
    outcome = cnn_train("runs", *options)
    heading, first, *_, damaged = outcome.stdout.splitlines()
    assert heading.split() == ["run_dir", "optimizer.lr", "seed", "size", "val_accuracy"]
    _, rate, seed, _, unit, accuracy, sign = first.split()
    assert (rate, seed, unit, accuracy, sign) == ("0.1", "0", "MB", "80.00", "%")
    assert damaged.split()[1:3] == ["—", "—"]
    found = cnn_train("runs", *options, "--json").document["runs"][1]
    assert (found["optimizer.lr"], found["seed"], found["model"]) == (0.05, 1, "vgg16")


@pytest.mark.usefixtures("many")
def test_groups_have_the_mean_and_deviation_of_their_finished_runs(cnn_train: Run) -> None:
    outcome = cnn_train("runs", "--group-by", "model", "--where", "name!=e", "--json")
    first, second = outcome.document["groups"]
    assert first == {
        "model": "vgg16", "n": 2, "others": 0, "val_accuracy": pytest.approx(0.85),
        "val_accuracy_sd": pytest.approx(0.05 * 2**0.5), "seconds": 90,
    }  # fmt: skip
    assert second == {
        "model": "lenet", "n": 1, "others": 1, "val_accuracy": 0.6, "val_accuracy_sd": None,
        "seconds": 90,
    }  # fmt: skip
    heading, row, other = cnn_train(
        "runs", "--group-by", "model,optimizer.lr", "--where", "model=vgg16"
    ).stdout.splitlines()
    assert heading.split()[:3] == ["model", "optimizer.lr", "n"]
    assert row.split() == ["vgg16", "0.1", "1", "0", "80.00", "%", "—", "1:30"]
    assert other.split()[1] == "0.05"


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sort", "val_acuracy"), "did you mean val_accuracy?"),
        (("--columns", "optimiser.lr"), "did you mean optimizer.lr?"),
        (("--where", "modl=lenet"), "did you mean model"),
        (("--group-by", "xyz"), "--group-by xyz: no column"),
        (("--where", "seed~3"), "write NAME=VALUE"),
        (("--where", "model>lenet"), "compares numbers"),
        (("--where", "val_accuracy>1.2.3%"), "'1.2.3%' is none"),
        (("--columns", "seed", "--group-by", "seed"), "choose one"),
        (("--sort", "seed", "watch"), "--sort: no use before `watch`"),
        (("--sort", "seed", "--sort", "lr"), "given 2 times"),
    ],
)
def test_what_no_run_has_or_means_nothing_is_refused(
    cnn_train: Run, options: tuple[str, ...], message: str
) -> None:
    outcome = cnn_train("runs", *options)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert message in outcome.stderr


def test_a_run_that_stopped_early_came_to_its_end(
    cnn_train: Run, many: dict[str, RunDirectory]
) -> None:
    with many["d"].resolved_config.open("a") as config:
        config.write("stop: {patience: 2, metric: accuracy}\n")
    only_d = ("runs", "--where", "name=d")
    assert "stopped early 3/9" in cnn_train(*only_d).stdout
    (group,) = cnn_train(*only_d, "--group-by", "name", "--json").document["groups"]
    assert (group["n"], group["others"], group["val_accuracy"]) == (1, 0, 0.7)


def test_a_filter_that_no_run_passes_says_so(cnn_train: Run, many: dict[str, RunDirectory]) -> None:
    outcome = cnn_train("runs", "--where", "model=resnet20")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert "0 of 5 runs fulfil this; 1 damaged left out" in outcome.stderr
    assert cnn_train("runs", "--where", "seed=9", "--group-by", "seed", "--json").document == {
        "groups": []
    }


def test_a_setting_that_is_no_finite_number_is_shown_and_is_no_invalid_json(
    cnn_train: Run, two_runs: list[RunDirectory]
) -> None:
    two_runs[0].resolved_config.write_text(resolved() + "odd: .nan\n")
    options = ("--columns", "odd", "--where", "odd=.nan")
    assert cnn_train("runs", *options).stdout.splitlines()[1].split()[1] == ".nan"
    assert cnn_train("runs", *options, "--json").document["runs"][0]["odd"] == ".nan"
