"""What a set of images and the checkpoints of a run say."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest
import torch
from thin_networks import build_used

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.data.dataset import DataAccess
from cnn_train.data.image_set import ImageSet
from cnn_train.data.splits import load_training_splits
from cnn_train.evaluation.evaluate import evaluate
from cnn_train.explore.checkpoints import OpenCheckpoints
from cnn_train.explore.explorer import Explorer
from cnn_train.explore.opening import open_explorer
from cnn_train.inference.trained_model import load_trained_model, restore_trained_model
from cnn_train.losses.hinge import HingeConfig
from cnn_train.machine.atomic_file import save_json
from cnn_train.machine.device import Device
from cnn_train.runs.branch import left_run, states_from_start
from cnn_train.runs.directory import RunDirectory, find_checkpoint
from cnn_train.runs.states import save_state
from cnn_train.training.building import build_session
from cnn_train.training.fit import fit
from cnn_train.visualize.features import last_features


def test_patches_come_from_where_a_channel_is_strongest(
    explore: Any, ask: Any, images: ImageSet
) -> None:
    model = build_used("lenet")
    with torch.no_grad():
        model.conv1.bias[5] = -100.0
    explorer = explore(model)
    answer = ask(explorer, "patches", layer=1, channel=0)
    normalized = explorer.checkpoints.open().trained.normalization(images.images_NCHW)
    with torch.no_grad():
        maps_NHW = torch.relu(model.conv1(normalized))[:, 0]
    strongest_N = maps_NHW.amax(dim=(1, 2)).sort(descending=True)
    shown = answer["patches"]
    assert [patch["image"] for patch in shown] == strongest_N.indices[:9].tolist()
    assert [patch["value"] for patch in shown] == pytest.approx(strongest_N.values[:9].tolist())
    row, column = divmod(int(maps_NHW[shown[0]["image"]].argmax()), 28)
    patch_CHW = images.images_NCHW[shown[0]["image"]][:, row : row + 5, column : column + 5]
    assert b64decode(shown[0]["pixels"]) == patch_CHW.permute(1, 2, 0).numpy().tobytes()
    assert answer["dead"] == [5] and answer["num_images"] == 12
    assert ask(explorer, "patches", layer=1, channel=5)["patches"] == []


def test_filters_are_the_weights_also_of_a_layer_that_reads_flattened_maps(
    explore: Any, ask: Any
) -> None:
    model = build_used("lenet")
    explorer = explore(model)
    answer = ask(explorer, "filters", layer=7)
    assert answer["shape"] == [64, 16, 5, 5]
    levels = torch.frombuffer(bytearray(b64decode(answer["values"])), dtype=torch.int8)
    weights_OIHW = model.fc3.weight.detach().view(120, 16, 5, 5)[:64]
    found_OIHW = levels.view(64, 16, 5, 5).float() / 127 * answer["limit"]
    torch.testing.assert_close(found_OIHW, weights_OIHW, rtol=0, atol=answer["limit"] / 250)


@pytest.fixture
def run(tmp_path: Path, make_config: Callable[..., Any], cpu: Device) -> RunDirectory:
    """A run of three epochs with averaged weights, whose second epoch is the best."""
    shapes = {"name": "shapes", "num_train": 60, "num_test": 20, "image_size": 16}
    config = make_config(data=shapes, ema_decay=0.9, epochs=3)
    train, val = load_training_splits(config.data, DataAccess(tmp_path / "data"))
    session, run = build_session(config, train, val, cpu), RunDirectory(tmp_path / "a run")
    run.path.mkdir()
    for record in fit(session):
        save_state(session.checkpoint(), run, keep=9, is_best=record.epoch == 1)
        run.save_metrics(session.checkpoint().records)
    run.kept(4).parent.mkdir()
    run.state(session.checkpoint().step // 3).rename(run.kept(session.checkpoint().step // 3))
    return run


@pytest.fixture
def explored(run: RunDirectory, tmp_path: Path) -> Explorer:
    path = find_checkpoint(run.path)
    trained = load_trained_model(path, "cpu")
    return open_explorer(run.path, path, trained, DataAccess(tmp_path / "data"))


def test_a_runs_checkpoints_are_listed_by_their_step_each_once(explored: Explorer) -> None:
    page = explored.page()
    names = [(one["name"], one["epoch"]) for one in page["checkpoints"]]
    assert names == [
        ("step 7, epoch 1", 1), ("best: step 14, epoch 2", 2), ("last: step 21, epoch 3", 3),
    ]  # fmt: skip
    assert (page["checkpoint"], page["title"]) == ("best", "a run")


def test_history_has_the_scores_that_evaluate_has_of_each_checkpoint_averaged_weights(
    explored: Explorer, run: RunDirectory, cpu: Device
) -> None:
    images = explored.require_images()
    (first,) = explored.answering("images")({"from": 2, "count": 1})["images"]
    answer = explored.answering("history")({"pixels": first["pixels"]})
    paths = list(run.every_state.values())
    assert len(answer["steps"]) == len(paths) == 3
    for step, path in zip(answer["steps"], paths, strict=True):
        checkpoint = load_checkpoint(path)
        assert checkpoint.averaged_model is not None and step["step"] == checkpoint.step
        trained = restore_trained_model(checkpoint, cpu, "test")
        scores_NK = evaluate(trained, images, split="val").scores_NK
        expected = scores_NK[2].double().softmax(dim=0).tolist()
        assert step["probabilities"] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert step["predicted"] == int(scores_NK[2].argmax())


def test_a_branch_begins_with_the_states_of_the_run_that_it_left_and_shows_what_became_of_it(
    explored: Explorer, run: RunDirectory, tmp_path: Path
) -> None:
    """The branch keeps its last two states; the last of the run is another one than its own."""
    branch, steps = RunDirectory(tmp_path / "a branch"), list(run.every_state)
    copytree(run.path, branch.path)
    rmtree(branch.path / "history")
    save_json(branch.origin, {"parent": run.path.name, "step": steps[1]})
    path = find_checkpoint(branch.path)
    explorer = open_explorer(
        branch.path, path, load_trained_model(path, "cpu"), DataAccess(tmp_path / "data")
    )
    names = [one["name"] for one in explorer.page()["checkpoints"]]
    assert names == ["step 7, epoch 1", "best: step 14, epoch 2", "last: step 21, epoch 3"]
    (first,) = explorer.answering("images")({"count": 1})["images"]
    answer = explorer.answering("history")({"pixels": first["pixels"]})
    own = explored.answering("history")({"pixels": first["pixels"]})
    assert [one["step"] for one in answer["steps"]] == steps
    assert answer["left"]["name"] == "a run" and answer["left"]["step"] == steps[1]
    (after,) = answer["left"]["steps"]
    assert own["left"] is None
    assert after["probabilities"] == own["steps"][-1]["probabilities"]
    rmtree(run.path)
    assert states_from_start(branch) == branch.every_state and left_run(branch) is None


def test_a_branch_may_have_another_dropout_and_another_loss(
    explored: Explorer, run: RunDirectory
) -> None:
    """Its kept states are those of one network; all have probabilities, or none."""
    checkpoints = explored.checkpoints
    choices = {key: replace(one) for key, one in checkpoints.choices.items()}
    first = checkpoints.open()
    model = first.trained.config.model.model_copy(update={"dropout": 0.5})
    hinge = first.trained.config.model_copy(
        update={"loss": HingeConfig(name="hinge"), "model": model}
    )
    other = replace(first.trained, config=hinge)
    branch = OpenCheckpoints(list(choices.values()), "best", other, checkpoints.subjects)
    explorer = Explorer("a branch", branch, explored.images)
    (one,) = explorer.answering("images")({"count": 1})["images"]
    steps = explorer.answering("history")({"pixels": one["pixels"]})["steps"]
    assert len(steps) == len(choices) and all("scores" in step for step in steps)


@pytest.mark.parametrize("parent", ["", "..", ".", "a" * 300, "b" * 255, "\0"])
def test_a_branch_that_names_no_run_beside_it_has_left_none(run: RunDirectory, parent: str) -> None:
    save_json(run.origin, {"parent": parent, "step": 1})
    assert left_run(run) is None and states_from_start(run) == run.every_state


def test_branches_that_say_they_left_each_other_have_an_end(run: RunDirectory) -> None:
    other = RunDirectory(run.path.with_name("other"))
    copytree(run.path, other.path)
    for one, two in ((run, other), (other, run)):
        save_json(one.origin, {"parent": two.path.name, "step": 9})
    assert list(states_from_start(run)) == list(run.every_state)


def test_a_state_that_the_run_has_removed_meanwhile_is_left_out(
    explored: Explorer, run: RunDirectory
) -> None:
    (first,) = explored.answering("images")({"count": 1})["images"]
    next(iter(run.history.values())).unlink()
    steps = explored.answering("history")({"pixels": first["pixels"]})["steps"]
    assert [step["key"] for step in steps] == ["best", "last"]


def test_each_cloud_is_turned_as_near_as_it_goes_to_the_next_and_distances_stay(
    explored: Explorer,
) -> None:
    (first,) = explored.answering("images")({"from": 0, "count": 1})["images"]
    clouds = {}
    for key in explored.checkpoints.choices:
        asked = {"pixels": first["pixels"], "checkpoint": key}
        answer = explored.answering("embedding")(asked)
        clouds[key] = torch.tensor(answer["points"], dtype=torch.float64)
        assert answer["here"] == pytest.approx(answer["points"][0], abs=1e-3)  # the same image
        assert answer["labels"][0] == first["label"]
    for own, after in pairwise(clouds):
        product_22 = clouds[own].T @ clouds[after]
        # at the best turn the product is symmetric and not negative (Schönemann, 1966)
        torch.testing.assert_close(product_22, product_22.T, rtol=1e-3, atol=1e-2)
        assert bool((torch.linalg.eigvalsh(product_22) > -1e-3).all())


def test_the_nearest_images_are_those_with_the_nearest_features_and_not_the_image_itself(
    explored: Explorer,
) -> None:
    images, opened = explored.require_images(), explored.checkpoints.open()
    inputs_NCHW = opened.trained.normalization(images.images_NCHW)
    _, features_ND = last_features(opened.trained.model, [inputs_NCHW])
    for index in (0, 5):
        (asked,) = explored.answering("images")({"from": index, "count": 1})["images"]
        answer = explored.answering("embedding")({"pixels": asked["pixels"]})
        away_N = (features_ND - features_ND[index]).norm(dim=1)
        away_N[index] = torch.inf
        nearest = answer["nearest"]
        assert [one["index"] for one in nearest] == away_N.argsort(stable=True)[:8].tolist()
        assert answer["images"] == list(range(len(images)))
        known = explored.answering("images")({"indices": [one["index"] for one in nearest]})
        assert known["images"] == nearest


def test_one_of_a_runs_states_named_by_its_step_opens_the_run_there(
    run: RunDirectory, tmp_path: Path
) -> None:
    step = min(run.every_state)
    given = Path(f"{run.path}@{step}")
    path = find_checkpoint(given)
    trained = load_trained_model(path, "cpu")
    explorer = open_explorer(given, path, trained, DataAccess(tmp_path / "data"))
    page = explorer.page()
    assert page["checkpoint"] == f"step-{step:08}" and len(page["checkpoints"]) == 3
