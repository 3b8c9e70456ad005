from pathlib import Path

import pytest

from cnn_train.runs.directory import RunDirectory
from cnn_train.runs.summary import RunSummary, summarize_run

RESOLVED = """\
data: {name: shapes}
model: {name: vgg16}
loss: {name: hinge}
epochs: 30
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory.create(tmp_path, "a")
    run.resolved_config.write_text(RESOLVED)
    return run


def test_a_run_is_summed_up_from_its_config_and_its_records(run: RunDirectory) -> None:
    accuracies = enumerate((0.5, 0.75, 0.75, 0.6))
    run.save_metrics([{"epoch": e, "val_accuracy": a, "seconds": 1.5} for e, a in accuracies])
    assert summarize_run(run) == RunSummary(
        run_dir=str(run.path),
        model="vgg16",
        loss="hinge",
        data="shapes",
        epochs_done=4,
        epochs=30,
        best_epoch=1,
        val_accuracy=0.75,
        seconds=6.0,
    )


def test_a_run_in_its_first_epoch_has_no_result_yet(run: RunDirectory) -> None:
    summary = summarize_run(run)
    assert (summary.epochs_done, summary.best_epoch, summary.val_accuracy) == (0, None, None)
    assert summary.seconds == 0
