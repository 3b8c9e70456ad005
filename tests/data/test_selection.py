import pytest
import torch
from pydantic import ValidationError

from cnn_train.data.selection import NEVER, NO_LOSS_21, SelectionConfig, end_epoch

ORDER_N = torch.tensor([4, 1, 5, 0, 3, 2])
LOSSES_2N = torch.tensor([[0.5, 2.0, 2.0, NEVER, 0.1, 2.0], [9.0, 9.0, -NEVER, 9.0, 9.0, 9.0]])


def choose(epoch: int = 1, losses_2N: torch.Tensor | None = LOSSES_2N, **settings) -> list[int]:
    selection = SelectionConfig(**({"keep": 0.5, "from_epoch": 1} | settings))
    return selection.choose(ORDER_N, epoch, 0, losses_2N).tolist()


def test_the_largest_losses_before_the_epoch_are_chosen_the_first_of_equals_in_its_order() -> None:
    """Never trained on, then two of the three losses of 2.0; those of this epoch are not read."""
    assert choose() == [1, 3, 2]
    assert choose(keep=0.67) == [1, 5, 3, 2]
    assert choose(keep=0.01) == [3]


def test_before_the_first_epoch_and_by_default_all_are_chosen() -> None:
    assert choose(epoch=0) == ORDER_N.tolist()
    assert choose(keep=1.0) == ORDER_N.tolist()
    assert SelectionConfig().choose(ORDER_N, 99, 0, None) is ORDER_N


def test_a_random_share_is_drawn_anew_in_each_epoch_from_the_seed() -> None:
    random = SelectionConfig(keep=0.3, from_epoch=0, by="random")
    order_N = torch.arange(100).flip(0)
    drawn = [random.choose(order_N, epoch, seed, None) for epoch, seed in ((0, 1), (1, 1), (0, 2))]
    assert [len(one.unique()) for one in drawn] == [30] * 3
    assert len({tuple(one.tolist()) for one in drawn}) == 3
    assert all((one.diff() < 0).all() for one in drawn)  # in the epoch's order
    assert torch.equal(random.choose(order_N, 0, 1, None), drawn[0])
    assert sorted(torch.cat([random.choose(order_N, e, 1, None) for e in range(60)]).unique()) == [
        *range(100)
    ]


def test_an_epoch_has_the_rounded_share_and_at_least_one_image() -> None:
    selection = SelectionConfig(keep=0.55, from_epoch=3)
    assert [selection.num_kept(epoch, 100) for epoch in (0, 2, 3, 50)] == [100, 100, 55, 55]
    assert selection.num_kept(3, 31) == 17
    assert selection.num_kept(3, 1) == 1
    assert SelectionConfig(keep=1e-9).num_kept(3, 1000) == 1


def test_the_next_epoch_knows_the_losses_of_this_one_and_older_ones_of_other_images() -> None:
    losses_2N = NO_LOSS_21.repeat(1, 3)
    losses_2N[1, torch.tensor([2, 0])] = torch.tensor([0.25, 4.0])
    end_epoch(losses_2N)
    assert losses_2N.tolist() == [[4.0, NEVER, 0.25], [-NEVER] * 3]
    losses_2N[1, 1:] = 0.0  # a loss of zero is one too
    end_epoch(losses_2N)
    assert losses_2N[0].tolist() == [4.0, 0.0, 0.0]


def test_no_image_can_be_chosen_by_its_loss_before_it_has_one() -> None:
    with pytest.raises(ValidationError, match="from_epoch 0: no image has a loss yet; write 1 or"):
        SelectionConfig(from_epoch=0)
    assert SelectionConfig(from_epoch=0, by="random").from_epoch == 0


@pytest.mark.parametrize("settings", [{"keep": 0}, {"keep": 1.01}, {"from_epoch": -1}, {"by": "a"}])
def test_a_setting_out_of_range_is_refused(settings) -> None:
    with pytest.raises(ValidationError):
        SelectionConfig(**settings)
