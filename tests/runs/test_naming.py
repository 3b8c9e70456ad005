"""``runs/latest``, ``runs/best``, paths and names: which run is meant."""

from pathlib import Path

import pytest
from resolved_config import resolved

from cnn_train.errors import CheckpointError
from cnn_train.runs.directory import RunDirectory, find_checkpoint, find_run
from cnn_train.runs.naming import named_run

PHOTOS = "{name: folder, root: /images, resident: auto}"


def make_run(root: Path, name: str, accuracy: float | None, data: str = PHOTOS) -> RunDirectory:
    run = RunDirectory.create(root, name)
    run.resolved_config.write_text(resolved(data=data))
    if accuracy is not None:
        run.save_metrics([{"epoch": 0, "val_accuracy": accuracy, "seconds": 1, "best_epoch": 0}])
        run.best_checkpoint.touch()
        run.last_checkpoint.touch()
    return run


def test_the_best_run_is_that_of_highest_accuracy_on_the_latest_runs_images(tmp_path: Path) -> None:
    make_run(tmp_path, "drawings", 0.99, "{name: shapes}")
    best = make_run(tmp_path, "good", 0.8)
    make_run(tmp_path, "mapped", 0.7, PHOTOS.replace("auto", "host, sampling: balanced"))
    make_run(tmp_path, "begun", None)
    assert find_checkpoint(tmp_path / "best") == best.best_checkpoint
    assert find_run(tmp_path / "best").path == best.path
    better = make_run(tmp_path, "mapped", 0.9, PHOTOS.replace("auto", "host, sampling: balanced"))
    assert find_checkpoint(tmp_path / "best") == better.best_checkpoint
    better.best_checkpoint.unlink()
    assert find_checkpoint(tmp_path / "best") == best.best_checkpoint


def test_a_damaged_latest_run_does_not_hide_the_best(tmp_path: Path) -> None:
    good = make_run(tmp_path, "good", 0.8)
    make_run(tmp_path, "broken", 0.9).resolved_config.write_text("a: [")
    assert find_checkpoint(tmp_path / "best") == good.best_checkpoint


def test_what_is_called_best_goes_before_the_best_run(tmp_path: Path) -> None:
    make_run(tmp_path, "good", 0.8)
    mine = make_run(tmp_path, "mine", 0.1)
    mine.path.rename(tmp_path / "best")
    assert find_run(tmp_path / "best").path == tmp_path / "best"


def test_where_no_run_has_a_result_there_is_no_best(tmp_path: Path) -> None:
    make_run(tmp_path, "begun", None)
    with pytest.raises(CheckpointError, match="no run on the latest run's images has a result"):
        find_checkpoint(tmp_path / "best")
    with pytest.raises(CheckpointError, match=r"no such|no run"):
        find_run(tmp_path / "elsewhere" / "best")


def test_a_run_is_named_by_its_path_by_its_name_or_as_the_latest_or_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path("runs")
    first, second = make_run(root, "a", 0.9), make_run(root, "b", 0.5)
    for word in (second.path, Path(second.path.name), Path("latest"), root / "latest"):
        assert named_run(word, root).path == second.path
    for word in (first.path, first.path.absolute(), Path("best"), root / "best"):
        assert named_run(word, root).path.samefile(first.path)
    assert (first.name, second.name) == ("a", "b")


def test_a_word_that_names_no_run_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", 0.9)
    (tmp_path / "notes").mkdir()
    for word in ("absent", "notes", "/"):
        with pytest.raises(CheckpointError, match=r"no run; .*lists runs"):
            named_run(Path(word), tmp_path)
    with pytest.raises(CheckpointError, match=f"did you mean {run.path.name}"):
        named_run(Path(run.path.name[:-1]), tmp_path)
    (tmp_path / "latest").unlink(missing_ok=True)
    with pytest.raises(CheckpointError, match="did you mean best"):
        named_run(Path("latest"), tmp_path)
    with pytest.raises(CheckpointError, match="did you mean latest"):
        named_run(Path("runs/lates"), tmp_path)
