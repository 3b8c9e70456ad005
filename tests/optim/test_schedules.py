import math
from functools import partial

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.optim import lr_scheduler

from cnn_train.optim.schedules import (
    SCHEDULES,
    ConstantConfig,
    CosineConfig,
    LinearConfig,
    MultistepConfig,
    Pace,
    StepConfig,
    TriangularConfig,
)

EPOCHS, STEPS_PER_EPOCH = 40, 5
TOTAL = EPOCHS * STEPS_PER_EPOCH
every_schedule = pytest.mark.parametrize("config", SCHEDULES.values())


def factors(config, total: int = TOTAL) -> list[float]:
    """Return the factor at each update, and the one that a further update would have."""
    schedule = config.build(total, Pace(STEPS_PER_EPOCH))
    return [schedule(step) for step in range(total + 1)]


def torch_factors(make_scheduler, total: int = TOTAL) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(total + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def drops(epochs: list[int]) -> list[int]:
    return [epoch * STEPS_PER_EPOCH for epoch in epochs]


@pytest.mark.parametrize(
    ("config", "oracle"),
    [
        (ConstantConfig(), partial(lr_scheduler.ConstantLR, factor=1.0)),
        (CosineConfig(), partial(lr_scheduler.CosineAnnealingLR, T_max=TOTAL)),
        (
            CosineConfig(final_factor=0.1),
            partial(lr_scheduler.CosineAnnealingLR, T_max=TOTAL, eta_min=0.1),
        ),
        (
            CosineConfig(restart_epochs=7),
            partial(lr_scheduler.CosineAnnealingWarmRestarts, T_0=7 * STEPS_PER_EPOCH),
        ),
        (
            CosineConfig(restart_epochs=3, restart_growth=2.0, final_factor=0.1),
            partial(
                lr_scheduler.CosineAnnealingWarmRestarts,
                T_0=3 * STEPS_PER_EPOCH,
                T_mult=2,
                eta_min=0.1,
            ),
        ),
        (
            LinearConfig(final_factor=0.2),
            partial(lr_scheduler.LinearLR, start_factor=1.0, end_factor=0.2, total_iters=TOTAL),
        ),
        (
            StepConfig(step_epochs=7, gamma=0.3),
            partial(lr_scheduler.StepLR, step_size=7 * STEPS_PER_EPOCH, gamma=0.3),
        ),
        (
            MultistepConfig(milestones=(3, 20, 33), gamma=0.3),
            partial(lr_scheduler.MultiStepLR, milestones=drops([3, 20, 33]), gamma=0.3),
        ),
    ],
    ids=str,
)
def test_it_equals_torchs_own_schedule(config, oracle):
    assert factors(config) == pytest.approx(torch_factors(oracle), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "config",
    [
        TriangularConfig(),
        TriangularConfig(peak_fraction=0.5, start_factor=0.0, final_factor=0.0),
        TriangularConfig(peak_fraction=0.1, start_factor=1.0, final_factor=1.0),
    ],
    ids=str,
)
def test_a_triangle_is_two_straight_lines_through_start_peak_and_end(config):
    corners = [0, config.peak_fraction * TOTAL, TOTAL]
    heights = [config.start_factor, 1.0, config.final_factor]
    expected = np.interp(range(TOTAL + 1), corners, heights)
    assert factors(config) == pytest.approx(expected.tolist(), abs=1e-12)


@every_schedule
@pytest.mark.parametrize("warmup_epochs", [0.0, 0.5, 3.0, 40.0, 100.0])
@pytest.mark.parametrize("total", [1, 2, TOTAL])
def test_it_is_always_a_finite_share_of_the_rate(config, warmup_epochs, total):
    """Also where training is shorter than the warm-up."""
    for factor in factors(config(warmup_epochs=warmup_epochs), total):
        assert math.isfinite(factor) and 0 <= factor <= 1


@every_schedule
def test_no_update_of_a_default_schedule_is_wasted_on_a_rate_of_zero(config):
    assert all(factor > 0 for factor in factors(config())[:-1])


@every_schedule
def test_warm_up_climbs_by_equal_parts_to_the_schedules_first_rate(config):
    first = config().build(TOTAL, Pace(STEPS_PER_EPOCH))(0)
    warmed = config(warmup_epochs=2.0).build(TOTAL, Pace(STEPS_PER_EPOCH))
    expected = [first * (step + 1) / 10 for step in range(10)]
    assert [warmed(step) for step in range(10)] == pytest.approx(expected)
    assert warmed(10) == pytest.approx(first)


@pytest.mark.parametrize("config", [CosineConfig, LinearConfig, TriangularConfig])
def test_a_decay_after_warm_up_takes_exactly_the_steps_that_are_left(config):
    warmed = factors(config(warmup_epochs=4.0, final_factor=0.25))
    plain = factors(config(final_factor=0.25), TOTAL - 20)
    assert warmed[20:] == pytest.approx(plain)
    assert warmed[-1] == pytest.approx(0.25)


def test_warm_restarts_begin_after_warm_up_and_lose_height_above_the_final_rate():
    """Half waves of 2, 3 and 4.5 epochs after half an epoch of warm-up; ends at 0.2."""
    config = CosineConfig(
        warmup_epochs=0.6, restart_epochs=2, restart_growth=1.5, restart_gamma=0.5, final_factor=0.2
    )
    found = factors(config)
    tops, middles = {3: 1.0, 13: 0.6, 28: 0.4}, {8: 0.6, 50: 0.25}
    assert {step: found[step] for step in tops} == pytest.approx(tops)
    assert [found[step] < found[step + 1] for step in (11, 12, 13, 26, 27, 28)] == [
        False, True, False, False, True, False,
    ]  # fmt: skip
    assert found[8] == pytest.approx(middles[8])
    assert min(found[3:]) > 0.2


def test_a_restart_falls_on_an_update_although_epochs_are_rounded():
    """0.1 + 0.2 epochs of warm-up and the like are no exact numbers of updates."""
    for per_epoch in (3, 7, 10, 29, 391):
        pace = Pace(per_epoch)
        for warmup in (0.0, 0.1, 0.3, 1.1):
            config = CosineConfig(warmup_epochs=warmup, restart_epochs=3)
            schedule = config.build(pace.steps(30), pace)
            first = math.ceil(round((warmup + 3) * per_epoch, 6))
            rise = [
                step for step in range(first + per_epoch) if schedule(step) > schedule(step - 1)
            ]
            assert first in rise and first + 1 not in rise


def test_a_milestone_counts_epochs_from_the_start_with_warm_up():
    plain = factors(MultistepConfig(milestones=(10, 20)))
    warmed = factors(MultistepConfig(milestones=(10, 20), warmup_epochs=5.0))
    assert warmed[25:] == plain[25:]
    assert plain[49] == 1 and plain[50] == pytest.approx(0.1)


def test_change_epochs_are_where_the_rate_jumps():
    assert MultistepConfig(milestones=(3, 9)).change_epochs() == (3, 9)
    assert StepConfig(step_epochs=4).change_epochs() == (4,)
    assert CosineConfig().change_epochs() == ()
    assert CosineConfig(restart_epochs=4, warmup_epochs=1.5).change_epochs() == (5.5,)


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (CosineConfig, {"warmup_epochs": -1.0}),
        (CosineConfig, {"final_factor": 1.5}),
        (CosineConfig, {"restart_epochs": 2.5}),
        (CosineConfig, {"restart_growth": 0.9}),
        (CosineConfig, {"restart_gamma": 0.0}),
        (StepConfig, {"step_epochs": 0}),
        (StepConfig, {"gamma": 1.0}),
        (MultistepConfig, {"milestones": []}),
        (MultistepConfig, {"milestones": [0]}),
        (MultistepConfig, {"milestones": ["3"]}),
        (TriangularConfig, {"peak_fraction": 0.0}),
        (TriangularConfig, {"peak_fraction": 1.0}),
    ],
)
def test_a_setting_out_of_range_is_refused(config, settings):
    with pytest.raises(ValidationError):
        config(**settings)


UNEVEN = Pace(first=10, later=4, change=3)  # three epochs of 10 updates, then some of 4


def test_epochs_of_different_length_add_up() -> None:
    assert [UNEVEN.steps(epochs) for epochs in (0, 1, 2.5, 3, 3.5, 5)] == [0, 10, 25, 30, 32, 38]
    assert [UNEVEN.epoch(step) for step in (0, 15, 30, 32, 38)] == [0, 1.5, 3, 3.5, 5]
    assert [Pace(7, 3, 0).steps(2), Pace(7, 3, 0).epoch(6)] == [6, 2]
    assert [Pace(3).steps(3.3), Pace(3).epoch(1)] == [round(3.3 * 3), 1 / 3]


def test_a_schedule_knows_the_length_of_every_epoch():
    drops = StepConfig(step_epochs=4, gamma=0.1).build(UNEVEN.steps(6), UNEVEN)
    assert [drops(step) for step in (33, 34, 41)] == pytest.approx([1, 0.1, 0.1])
    linear = LinearConfig(warmup_epochs=3.5).build(UNEVEN.steps(6), UNEVEN)
    assert [linear(step) for step in (0, 31, 32, 37, 42)] == pytest.approx([1 / 32, 1, 1, 0.5, 0])
