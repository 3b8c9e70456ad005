from pathlib import Path

import pytest

from cnn_train.runs.directory import RunDirectory
from cnn_train.runs.summary import RunSummary, read_run

RESOLVED = """\
data: {name: folder, root: /images}
model: {name: vgg16}
loss: {name: hinge}
optimizer: {name: adamw, lr: 0.002}
batch_size: 64
seed: 7
epochs: 30
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory(tmp_path / "a-20260102-030405-abcd")
    run.path.mkdir()
    run.resolved_config.write_text(RESOLVED)
    return run


def test_a_run_is_summed_up_from_its_config_and_its_records(run: RunDirectory) -> None:
    found = zip((0.5, 0.75, 0.75, 0.6), (0.8, 0.6, 0.5, 0.4), (0, 1, 2, 2), strict=True)
    run.save_metrics(
        [
            {"epoch": e, "val_accuracy": a, "val_loss": loss, "seconds": 1.5, "best_epoch": best}
            for e, (a, loss, best) in enumerate(found)
        ]
    )
    assert read_run(run)[0] == RunSummary(
        run_dir=str(run.path),
        started="2026-01-02T03:04:05",
        model="vgg16",
        loss="hinge",
        data="folder",
        data_root="/images",
        optimizer="adamw",
        lr=0.002,
        batch_size=64,
        seed=7,
        epochs_done=4,
        epochs=30,
        best_by="accuracy",
        best_epoch=2,
        val_accuracy=0.75,
        val_loss=0.5,
        seconds=6.0,
    )


def test_a_run_in_its_first_epoch_has_no_result_yet(run: RunDirectory) -> None:
    summary = read_run(run)[0]
    assert (summary.epochs_done, summary.best_epoch, summary.val_accuracy) == (0, None, None)
    assert summary.seconds == 0


def test_the_best_epoch_of_an_older_release_is_the_earliest_of_highest_accuracy(
    run: RunDirectory,
) -> None:
    accuracies = enumerate((0.5, 0.75, 0.75))
    run.save_metrics([{"epoch": e, "val_accuracy": a, "seconds": 1.5} for e, a in accuracies])
    summary = read_run(run)[0]
    assert (summary.best_epoch, summary.val_accuracy, summary.val_loss) == (1, 0.75, None)


def test_a_run_that_was_renamed_has_no_time_of_its_start(run: RunDirectory) -> None:
    renamed = RunDirectory(run.path.rename(run.path.with_name("my_best")))
    assert read_run(renamed)[0].started is None
