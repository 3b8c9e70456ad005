from pathlib import Path
from typing import Any

import pytest

from cnn_train.errors import ConfigError, UsageError
from cnn_train.search.opening import open_study
from cnn_train.search.space import Choices, Range, Space
from cnn_train.search.study import Study

pytest.importorskip("optuna")

SPACE = Space({"optimizer.lr": Range(low=0.01, high=1.0, log=True), "seed": Choices(("0", "1"))})


def open_small(folder: Path, **options: Any) -> Study:
    return open_study(SPACE, {"epochs": 3}, folder / "sweep", **{"num_trials": 3} | options)


def test_a_study_ends_with_its_number_of_trials_and_has_the_best_first(tmp_path: Path) -> None:
    study = open_small(tmp_path)
    for value, claim in zip((0.2, 0.9, 0.4), study.claims(), strict=False):
        claim.settings()
        claim.complete(value)
    assert [trial.value for trial in study.trials()] == [0.9, 0.4, 0.2]
    assert list(open_small(tmp_path).claims()) == []
    for claim in open_small(tmp_path, num_trials=4).claims():
        claim.complete(0.1)
    assert len(study.trials()) == 4


def test_less_is_better_for_a_loss(tmp_path: Path) -> None:
    study = open_small(tmp_path, maximizes=False)
    for claim in study.claims():
        claim.complete(0.1 * (claim.number + 1))
    assert [trial.number for trial in study.trials()] == [0, 1, 2]


def test_two_workers_never_share_a_trial(tmp_path: Path) -> None:
    workers = [open_small(tmp_path, sampler="random").claims() for _ in range(2)]
    one, other = map(next, workers)
    assert (one.number, other.number) == (0, 1)
    assert one.settings()["optimizer.lr"] != other.settings()["optimizer.lr"]


def test_a_lost_trial_is_gone_on_with_with_the_same_settings(tmp_path: Path) -> None:
    claims = open_small(tmp_path).claims()
    lost = next(claims)
    settings = lost.settings()
    assert not lost.should_stop(0, 0.5)
    claims.close()  # as when its process is killed: the lock is free, the trial is under way
    found = next(open_small(tmp_path).claims())
    assert (found.number, found.is_lost, found.settings()) == (0, True, settings)
    assert not found.should_stop(0, 0.5), "an epoch is reported only once"


def test_failed_trials_count_so_that_a_sweep_ends_and_say_why(tmp_path: Path) -> None:
    study = open_small(tmp_path)
    for claim in study.claims():
        claim.fail(f"no room for {claim.settings()['seed']}")
    assert [trial.state for trial in study.trials()] == ["fail"] * 3
    assert (study.trials()[-1].problem or "").startswith("no room for")


@pytest.mark.parametrize("prunes", [True, False])
def test_what_is_below_the_median_is_stopped_after_some_trials(
    tmp_path: Path, prunes: bool
) -> None:
    study = open_small(tmp_path, num_trials=6, prunes=prunes)
    stops = []
    for claim in study.claims():
        good = 0.8 if claim.number < 5 else 0.3
        stops.append([claim.should_stop(epoch, good) for epoch in range(2)])
        claim.complete(good)
    assert stops == [[False, False]] * 5 + [[False, prunes]]


def test_a_grid_tries_each_combination_once(tmp_path: Path) -> None:
    space = Space({"a": Range(low=0.1, high=0.3, step=0.1), "b": Choices(("x", "y"))})
    study = open_study(space, {}, tmp_path / "sweep", sampler="grid")
    tried = []
    for claim in study.claims():
        tried.append(tuple(claim.settings().values()))
        claim.complete(0.5)
    assert tried == [(a, b) for a in ("0.1", "0.2", "0.3") for b in "xy"]


def test_an_endless_grid_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs choices"):
        open_small(tmp_path, sampler="grid")
    assert not list(tmp_path.iterdir())


def test_the_same_seed_tries_the_same_settings(tmp_path: Path) -> None:
    def tried(name: str, seed: int) -> list[dict[str, str]]:
        claims = open_small(tmp_path / name, seed=seed, sampler="random").claims()
        return [settings for claim in claims if (settings := _completed(claim))]

    first = tried("a", 1)
    assert first == tried("b", 1) != tried("c", 2)


def _completed(claim: Any) -> dict[str, str]:
    settings: dict[str, str] = claim.settings()
    claim.complete(0.5)
    return settings


def test_another_question_is_refused(tmp_path: Path) -> None:
    open_small(tmp_path)
    with pytest.raises(UsageError, match=r"sweep: .*settings\.epochs.*another --name"):
        open_study(SPACE, {"epochs": 5}, tmp_path / "sweep")
    with pytest.raises(UsageError, match="another --name"):
        open_study(Space({"seed": Choices(("0", "1"))}), {"epochs": 3}, tmp_path / "sweep")


def test_a_database_serves_too_and_a_wrong_one_is_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    first = open_small(tmp_path, storage=url, num_trials=1)
    for claim in first.claims():
        claim.complete(0.5)
    assert open_small(tmp_path, storage=url, num_trials=1).trials() == first.trials()
    with pytest.raises(UsageError, match="--storage nonsense: "):
        open_small(tmp_path, storage="nonsense")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--run-root .*: cannot make sweep"):
        open_small(tmp_path / "file")
