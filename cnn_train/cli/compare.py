"""``cnn-train compare``: how runs differ, and whether one is better than another."""

from collections.abc import Mapping
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CheckpointError, DataError, UsageError
from .console import progress
from .loading import make_data_access, open_model
from .options import (
    DataDirOption,
    DataRootOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    RunRootOption,
    RunsArgument,
)
from .present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from torch import Tensor

    from ..data.dataset import DataAccess
    from ..data.image_set import ImageSet
    from ..evaluation.evaluate import Evaluation
    from ..evaluation.paired import Paired
    from ..runs.listing import ListedRun


def compare(
    runs: RunsArgument,
    run_root: RunRootOption = Path("runs"),
    no_test: Annotated[
        bool, typer.Option("--no-test", help="Compare settings and curves only; read no image.")
    ] = False,
    device: DeviceOption = "auto",
    data_root: DataRootOption = None,
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Compare runs: settings, results, curves, and a test on images that all of them held out.

    RUN@100 is the run as it was after update 100, with the model of that state.
    The test split stays closed: evaluate --against compares two models there.
    """
    from ..runs.listing import read_named
    from .display.comparison import comparison_page

    check_picture(out)
    found = read_named(runs, run_root, at_steps=True)
    if not 2 <= len(found) <= len(ascii_uppercase):
        raise UsageError(f"name 2 to {len(ascii_uppercase)} different runs, not {len(found)}")
    if all(one.summary.damaged for one in found):
        raise CheckpointError(f"{found[0].run.path}: {found[0].summary.damaged}; so are the others")
    listed = dict(zip(ascii_uppercase, found, strict=False))
    access, tested = make_data_access(data_dir, offline), {} if no_test else listed
    trial = _test(tested, device, access, data_root)
    present(comparison_page(listed, *trial), as_json=as_json, out=out)


def _test(
    listed: "Mapping[str, ListedRun]", device: str, access: "DataAccess", data_root: Path | None
) -> "tuple[list[str], Paired | None, list[str]]":
    """Test the best models on the images that all held out: which; the result; why not others."""
    from ..evaluation.evaluate import evaluate, load_split
    from ..evaluation.paired import compare_evaluations
    from ..runs.directory import find_checkpoint

    known: dict[tuple[str, tuple[str, ...]], ImageSet] = {}  # runs mostly share their images
    results: dict[str, tuple[Evaluation, Tensor]] = {}
    paired, notes = None, []
    for letter, one in listed.items():
        try:
            trained = open_model(find_checkpoint(Path(one.summary.run_dir)), device)
            key = repr(trained.config.data), trained.class_names
            known[key] = known.get(key) or load_split(trained, "val", access, data_root)
            result = evaluate(trained, known[key], split="validation", progress=progress)
            results[letter] = result, trained.training_images
        except (CheckpointError, DataError) as problem:
            notes.append(f"{letter} is not tested: {problem}")
    if len(results) > 1:
        try:
            paired = compare_evaluations(*zip(*results.values(), strict=True))
        except DataError as reason:
            notes.append(f"no test: {reason}")
    return [*results], paired, notes
