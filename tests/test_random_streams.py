import pytest
import torch

from cnn_train.random_streams import (
    derive_seed,
    generator_states,
    make_generator,
    restore_generator_states,
    same_dropout,
    seed_global_generators,
    seeded,
)


def test_a_stream_is_the_same_on_every_platform_and_in_every_release() -> None:
    """The first eight bytes of sha256("(0, 'order', 3)"), halved: written down once, for good."""
    assert derive_seed(0, "order", 3) == 8483304753239185838


def test_every_part_of_a_streams_name_matters() -> None:
    names = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", "0"), (0, "a", 1), (0, "a", 0, 0)]
    seeds = {derive_seed(*name) for name in names}
    assert len(seeds) == len(names)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_generators_of_one_stream_draw_the_same_and_leave_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    first, again = (torch.rand(5, generator=make_generator(7, "x")) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_seeded_block_draws_its_stream_and_puts_the_global_generator_back() -> None:
    before = torch.get_rng_state()
    with seeded(3, "weights"):
        inside = torch.rand(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(inside, torch.rand(4, generator=make_generator(3, "weights")))


def test_a_seeded_block_puts_the_generator_back_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded(3, "weights"):
        _ = torch.rand(1) / (1 // 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_dropout_is_drawn_in_every_block_and_the_generator_goes_on_as_before() -> None:
    before = torch.get_rng_state()
    masks = []
    for _ in range(2):
        with same_dropout(3):
            masks.append(torch.rand(4))
    assert torch.equal(*masks)
    assert torch.equal(torch.get_rng_state(), before)


def test_restored_generators_go_on_where_they_were_seen() -> None:
    with torch.random.fork_rng(devices=[]):
        seed_global_generators(0, "dropout", 4)
        torch.rand(3)
        states = generator_states()
        expected = torch.rand(5)
        torch.manual_seed(99)
        restore_generator_states(states)
        assert torch.equal(torch.rand(5), expected)
