"""Open what a user named for exploration: a run with all its checkpoints, or one of them."""

from pathlib import Path

from ..data.dataset import DataAccess
from ..inference.trained_model import TrainedModel
from ..runs.history import run_folder
from ..visualize.request import Subjects
from .checkpoints import OpenCheckpoints, list_choices
from .explorer import Explorer
from .images import MOST_MEASURED, load_images, read_file


def open_explorer(
    given: Path,
    path: Path,
    trained: TrainedModel,
    access: DataAccess,
    data_root: Path | None = None,
    image: Path | None = None,
) -> Explorer:
    """Open what a user named: ``given``, a run or a checkpoint, of which ``path`` is evaluated.

    trained: of ``path``. data_root: where its images lie now. image: the file to begin with. Raises
    DataError for a file that is no image, and where the model takes no RGB images.
    """
    reading = trained.reading()
    first = read_file(image, reading) if image else None
    images, why_no_images = load_images(trained, access, data_root)
    subjects = Subjects.none(trained.image_shape)
    if images is not None:
        subjects = Subjects.of(images, MOST_MEASURED)
    choices, default, left = list_choices(given, path)
    title = str(given) if default == "file" else run_folder(path).name
    checkpoints = OpenCheckpoints(choices, default, trained, subjects, left)
    return Explorer(title, checkpoints, images, why_no_images, first)
