"""The benchmark as a program, and each of its parts in amounts that say nothing about speed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks import scale
from benchmarks.__main__ import PARTS, bench
from benchmarks.ceiling import Amounts
from part_program import choose_parts, run_program

from cnn_train.cli.main import main
from cnn_train.errors import UsageError
from cnn_train.machine.device import multiplies_bfloat16
from cnn_train.training.session import Session

Document = dict[str, Any]
Measure = Callable[..., Document]

TOY = {
    "bench.Bench.seconds": 0.01,
    "bench.QUICK_AMOUNTS": Amounts((16, 32), (1, 4, 8), 1000, 0.01),
    "train.COMPARED": ("lenet", "fastnet"),
    "train.TARGETS": {"lenet": 4.0},
    "train.BATCH_SIZE": 2,
    "train.NUM_IMAGES": 20,
    "train.ARCHITECTURES": ("linear", "mlp", "lenet", "wide_resnet"),
    "overhead.QUICK_RUNS": {"lenet": (2, 40)},
    "overhead.BATCH_SIZE": 20,
    "startup.QUICK_NUM_FILES": 20,
    "scale.ARCHITECTURE": "linear",
    "scale.QUICK_IMAGES": 16,
    "scale.BATCH_SIZE": 8,
    "speedrun.QUICK_NUM_IMAGES": 40,
}


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for place, amount in TOY.items():
        monkeypatch.setattr(f"benchmarks.{place}", amount)


@pytest.fixture
def measure(capsys: pytest.CaptureFixture[str]) -> Measure:
    """Return a function that runs a part in this process and returns what stands on stdout."""

    def run(**options: Any) -> Document:
        bench(quick=True, repeats=1, device="cpu", json_to="-", **options)
        document: Document = json.loads(capsys.readouterr().out)
        return document

    return run


def rows_of(document: Document, part: str) -> dict[str, dict[str, Any]]:
    rows = {row["name"]: row for row in document["rows"]}
    assert rows and {row["part"] for row in rows.values()} == {part}
    return rows


def test_parts_are_chosen_by_name_in_the_order_given() -> None:
    assert choose_parts("decode, ceiling", PARTS) == ["decode", "ceiling"]
    for wrong in ("speed", "", "ceiling,speed"):
        with pytest.raises(UsageError, match="choose from ceiling, train"):
            choose_parts(wrong, PARTS)


def test_an_unknown_part_is_one_line_and_exit_code_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "speed"])
    with pytest.raises(SystemExit, match="2"):
        run_program(bench)
    stderr = capsys.readouterr().err
    assert stderr.startswith("error: --only speed: choose from")
    assert stderr.count("\n") == 1


def test_the_ceiling_is_the_best_of_each_number_format(measure: Measure) -> None:
    rows = rows_of(measure(only="ceiling"), "ceiling")
    native = multiplies_bfloat16(torch.device("cpu"))
    for precision, tried in (("float32", 3), ("bfloat16", 3 if native else 1)):
        shares = [row["of_ceiling"] for name, row in rows.items() if precision in name]
        assert len(shares) == tried and max(shares) == 1 and min(shares) > 0
    assert rows["copy"]["ours"]["median"] > 0


def test_training_is_compared_with_a_students_loop(measure: Measure) -> None:
    rows = rows_of(measure(only="train"), "train")
    assert list(rows) == ["lenet", "fastnet"]
    assert rows["lenet"]["target"]["text"] == "≥ 4" and rows["fastnet"]["target"] is None
    for row in rows.values():
        assert row["ratio"]["median"] == row["ours"]["median"] / row["plain"]["median"]
        assert row["of_ceiling"] > 0


def test_in_float32_every_small_architecture_is_compared(measure: Measure) -> None:
    document = measure(only="float32")
    rows = rows_of(document, "float32")
    assert list(rows) == ["linear", "mlp", "lenet"]
    for row in rows.values():
        assert row["target"]["kept"] == (row["ratio"]["median"] >= 1)
    assert document["remarks"] == ["float32: left out under --quick: wide_resnet"]


def test_the_overhead_of_fit_is_measured(measure: Measure) -> None:
    (row,) = rows_of(measure(only="overhead"), "overhead").values()
    assert row["note"].startswith("overhead ")
    assert row["ours"]["median"] > 0 < row["plain"]["median"]


def test_commands_and_batch_prediction_are_timed(
    measure: Measure, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands run in this process, as if each took a second."""

    def run_here(command: Sequence[str]) -> float:
        assert command[0] == sys.executable
        if command[1] == "-c":
            exec(command[2])
        else:
            monkeypatch.setattr(sys, "argv", command[2:])
            with pytest.raises(SystemExit, match="0"):
                main()
        capsys.readouterr()
        return 1.0

    monkeypatch.setattr("benchmarks.startup.time_command", run_here)
    rows = rows_of(measure(only="startup"), "startup")
    targets = [row["target"] for row in rows.values() if row["target"]]
    limits = [target["text"] for target in targets]
    assert limits == ["< 0.4 s", "< 2.5 s", "< 4 s", "≥ 80% of plain"]
    assert [target["kept"] for target in targets[:3]] == [False, True, True]


@pytest.mark.slow
def test_decoding_is_timed_first_and_from_the_cache_and_stdout_is_one_document(
    run_script: Callable[..., "subprocess.CompletedProcess[str]"],
) -> None:
    options = ("--quick", "--only", "decode", "--repeats", 1, "--json", "-")
    outcome = run_script("benchmarks", *options)
    assert outcome.returncode == 0, outcome.stderr
    first, cores, second = rows_of(json.loads(outcome.stdout), "decode").values()
    assert first["ours"]["low"] > 0 < second["ours"]["low"]  # which is faster is for real files
    assert 0 < cores["ours"]["median"] <= (os.cpu_count() or 1) + 0.5


def test_growth_is_measured_and_drawn(
    measure: Measure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a clock that shows how many pixels were trained on."""
    clock, fit = 0, scale.fit

    def fit_by_the_clock(session: Session) -> Iterator[object]:
        nonlocal clock
        for record in fit(session):
            clock += session.batches.images.images_NCHW.numel()
            yield record

    monkeypatch.setattr(scale, "fit", fit_by_the_clock)
    monkeypatch.setattr(scale, "now", lambda device: clock)
    picture = tmp_path / "growth.png"
    rows = rows_of(measure(only="scale", plot=picture), "scale")
    assert len(rows) == 3 * (4 + 1)
    for what in ("images", "epochs", "pixels"):
        assert rows[f"exponent of {what}"]["ours"]["median"] == pytest.approx(1)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_speedrun_is_timed_beside_another_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("model: {name: linear}\nepochs: 3\n")
    document = tmp_path / "speeds.json"
    beside = {"config": config, "beside": "echo accuracy 0.94", "json_to": str(document)}
    bench(only="speedrun", quick=True, repeats=1, device="cpu", **beside)
    rows = json.loads(document.read_text())["rows"]
    assert [row["name"] for row in rows] == [
        "run", "validation accuracy", "validation accuracy", "the other command says",
    ]  # fmt: skip
    assert rows[0]["plain"]["median"] > 0 and rows[3]["ours"]["median"] == 0.94
    assert "speedrun" in capsys.readouterr().out


def test_every_part_is_tested_here() -> None:
    text = Path(__file__).read_text("utf-8")
    assert all(f'only="{part}"' in text or f'"--only", "{part}"' in text for part in PARTS)
