from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import DataError
from cnn_train.experiment import ExperimentConfig
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.fit import Supervision
from cnn_train.training.run import Job, train_job
from cnn_train.training.session import Session


@pytest.mark.usefixtures("no_pictures")
def test_a_job_does_each_part_once_and_in_order(
    make_config: Callable[..., ExperimentConfig],
    make_images: Callable[..., ImageSet],
    tmp_path: Path,
) -> None:
    done: list[str] = []

    def load_settings() -> ExperimentConfig:
        done.append("settings")
        return make_config(epochs=2)

    def load_images(data: Any) -> tuple[ImageSet, ImageSet]:
        done.append(f"images of {data.name}")
        return make_images(32), make_images(12, seed=1)

    def fill_in(session: Session) -> None:
        done.append(f"fill in at step {session.progress.step}")

    @contextmanager
    def supervise(session: Session) -> Iterator[Supervision]:
        done.append("begin")
        yield Supervision(RunDirectory.create(tmp_path, "run"))
        done.append("end")

    job = Job(load_settings, load_images, "cpu", limit_batches=3, fill_in=fill_in)
    for session, record in train_job(job, supervise):
        done.append(f"epoch {record.epoch}, step {session.progress.step}")
    assert done == [
        "settings", "images of cifar10", "fill in at step 0", "begin", "epoch 0, step 3",
        "epoch 1, step 6", "end",
    ]  # fmt: skip
    assert (tmp_path / "latest" / "best.ckpt").exists()


def test_a_job_whose_images_do_not_fit_is_never_begun(
    make_config: Callable[..., ExperimentConfig], make_images: Callable[..., ImageSet]
) -> None:
    train, val = make_images(32, num_classes=1), make_images(12, num_classes=1)

    @contextmanager
    def never(session: Session) -> Iterator[Supervision]:
        raise AssertionError("begun")
        yield

    with pytest.raises(DataError, match="at least two classes"):
        next(train_job(Job(make_config, lambda data: (train, val), "cpu"), never))
