from collections.abc import Callable
from itertools import pairwise

from torture_campaign.campaign import Campaign
from torture_campaign.flips import chosen_bits, flip_ours, flip_plain, flipped, go_on_from_flipped


def test_bits_are_chosen_from_the_first_to_the_last_at_every_place_in_a_byte() -> None:
    bits = chosen_bits(1_000, 200)
    assert len(set(bits)) == 200
    assert (bits[0], bits[-1]) == (0, 7_999)
    assert {bit % 8 for bit in bits} == set(range(8))
    assert max(later - bit for bit, later in pairwise(bits)) <= 41


def test_one_bit_is_turned() -> None:
    assert flipped(b"\x00\x00", 9) == b"\x00\x02"


def test_every_flip_is_noticed(campaign: Campaign) -> None:
    assert flip_ours(campaign, 60) == []


def test_a_loader_without_checksum_is_caught(
    campaign: Campaign, broken: Callable[[str], str]
) -> None:
    assert flip_ours(campaign, 30, broken("load_without_checksum"))


def test_the_plain_loop_takes_other_values_for_its_own() -> None:
    counts = flip_plain(30)
    assert sum(counts.values()) == 30
    assert counts["different"] > 0


def test_a_run_whose_last_state_is_damaged_goes_on_bit_equal(campaign: Campaign) -> None:
    assert go_on_from_flipped(campaign, 1) == [""]


def test_a_resume_that_forgets_something_is_caught(sabotaged: Callable[..., Campaign]) -> None:
    (failure,) = go_on_from_flipped(sabotaged("forget_momentum"), 1)
    assert failure.startswith("exit 0: ")
