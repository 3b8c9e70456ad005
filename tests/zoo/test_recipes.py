"""The rows of the table: every config has one, and each is measured in an order that helps."""

from pathlib import Path

import pytest
from zoo_campaign.recipes import PAIRS, RECIPES, Recipe, choose_recipes, units

from cnn_train.errors import UsageError

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def test_every_config_that_ships_is_a_row_but_the_one_on_drawn_images() -> None:
    shipped = {one.config for one in RECIPES.values() if not one.settings}
    assert shipped == {path.stem for path in CONFIGS} - {"quickstart"}
    assert all(one.name == one.config for one in RECIPES.values() if not one.settings)


@pytest.mark.parametrize("pair", PAIRS, ids=[one.name for one, _ in PAIRS])
def test_of_a_pair_only_the_loss_and_its_rate_differ(pair: tuple[Recipe, Recipe]) -> None:
    one, other = pair
    apart = {"loss": True, "optimizer": {"lr", "sgd_lr"}}
    assert one.load().model_dump(exclude=apart) == other.load().model_dump(exclude=apart)
    assert (one.load().loss.name, other.load().loss.name) == ("cross_entropy", "hinge")
    assert (one.seeds, one.network) == (other.seeds, other.network)


def test_what_wants_a_gpu_is_measured_only_where_it_is_named() -> None:
    assert all(not recipe.wants_gpu for recipe in choose_recipes(None))
    chosen = choose_recipes("wrn28_10, linear_hinge,wrn28_10")
    assert [recipe.name for recipe in chosen] == ["wrn28_10", "linear_hinge"]
    with pytest.raises(UsageError, match="--rows vgg19: choose from linear"):
        choose_recipes("vgg19")


def test_first_seeds_come_first() -> None:
    a, b = Recipe("a", "A", "a", seeds=2), Recipe("b", "B", "b")
    assert units([a, b], None) == [(a, 0), (b, 0), (a, 1)]
    assert units([a, b], 1) == [(a, 0), (b, 0)]
