"""The rows of the table: every config has one, and each is measured in an order that helps."""

from pathlib import Path

import pytest
from zoo_campaign.recipes import CROSS_ENTROPY, HINGE, RECIPES, Recipe, choose_recipes, units

from cnn_train.errors import UsageError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def test_every_config_that_ships_is_a_row_but_the_one_on_drawn_images() -> None:
    as_shipped = {recipe.config for recipe in RECIPES.values() if not recipe.settings}
    assert as_shipped == {path.stem for path in CONFIGS} - {"quickstart"}


def test_each_network_is_compared_under_both_losses() -> None:
    for rows, loss in ((CROSS_ENTROPY, "cross_entropy"), (HINGE, "hinge")):
        assert {recipe.load().loss.name for recipe in rows.values()} == {loss}
    assert {one.network for one in HINGE.values()} == {
        one.network for one in CROSS_ENTROPY.values()
    }


@pytest.mark.parametrize("name", HINGE)
def test_only_the_loss_and_its_rate_differ(name: str) -> None:
    hinge = HINGE[name]
    other = next(one for one in CROSS_ENTROPY.values() if one.network == hinge.network)
    apart = {"loss": True, "optimizer": {"lr", "sgd_lr"}}
    assert hinge.load().model_dump(exclude=apart) == other.load().model_dump(exclude=apart)
    assert hinge.seeds == other.seeds


def test_what_wants_a_gpu_is_measured_only_where_it_is_named() -> None:
    assert all(not recipe.wants_gpu for recipe in choose_recipes(None).values())
    assert choose_recipes("wrn28_10, linear_hinge").keys() == {"wrn28_10", "linear_hinge"}
    with pytest.raises(UsageError, match="--rows vgg19: choose from linear"):
        choose_recipes("vgg19")


def test_first_seeds_come_first() -> None:
    recipes = {"a": Recipe("A", "a", seeds=2), "b": Recipe("B", "b")}
    assert units(recipes, None) == [("a", 0), ("b", 0), ("a", 1)]
    assert units(recipes, 1) == [("a", 0), ("b", 0)]
