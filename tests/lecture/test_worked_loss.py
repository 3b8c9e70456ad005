import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnn_train.lecture.worked_loss import (
    SHIFTED,
    SLIDE_CLASSES,
    WorkedLoss,
    slide_examples,
    work_out,
)
from cnn_train.losses import LOSSES
from cnn_train.losses.cross_entropy import CrossEntropyConfig
from cnn_train.losses.hinge import HingeConfig

EVERY_SETTING = [
    HingeConfig(),
    HingeConfig(margin=0.3),
    HingeConfig(squared=True),
    HingeConfig(margin=2.0, squared=True),
    CrossEntropyConfig(),
    CrossEntropyConfig(label_smoothing=0.1),
]
every_setting = pytest.mark.parametrize("loss", EVERY_SETTING, ids=str)


def on_the_slide(loss: Any) -> WorkedLoss:
    return work_out(loss, *slide_examples(), SLIDE_CLASSES, SLIDE_CLASSES)


def random_examples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores_NK = 5 * torch.randn(40, 10, generator=generator, dtype=torch.float64)
    return scores_NK, torch.arange(40) % 10


def work_out_random(loss: Any) -> WorkedLoss:
    names = [str(i) for i in range(40)]
    return work_out(loss, *random_examples(), [str(k) for k in range(10)], names)


def test_the_slides_hinge_losses() -> None:
    worked = on_the_slide(HingeConfig())
    assert [example.loss for example in worked.examples] == pytest.approx([2.9, 0, 12.9])
    assert worked.mean == pytest.approx(5.2667, abs=5e-5)
    assert worked.examples[2].terms == pytest.approx((6.3, 6.6, 0))
    assert worked.examples[0].columns == {"s_j - s_y + 1": (None, pytest.approx(2.9),
                                                            pytest.approx(-3.9))}  # fmt: skip


def test_the_slides_cross_entropies() -> None:
    worked = on_the_slide(CrossEntropyConfig())
    losses = [example.loss for example in worked.examples]
    assert losses == pytest.approx([2.0404, 0.0791, 6.1565], abs=5e-5)
    assert worked.mean == pytest.approx(2.7587, abs=5e-5)
    exps = worked.examples[0].columns["exp(s_j)"]
    assert exps == pytest.approx((math.exp(3.2), math.exp(5.1), math.exp(-1.7)))


def test_torchs_hinge_is_a_trap() -> None:
    trap = on_the_slide(HingeConfig()).trap
    assert trap.call == "torch.nn.MultiMarginLoss"
    assert trap.loss == pytest.approx(1.7556, abs=5e-5)
    assert 3 * trap.loss == pytest.approx(on_the_slide(HingeConfig()).mean)


def test_softmax_before_cross_entropy_is_a_trap() -> None:
    scores_NK, labels_N = slide_examples()
    twice = nn.NLLLoss()(scores_NK.softmax(1).softmax(1).log(), labels_N)
    assert on_the_slide(CrossEntropyConfig()).trap.loss == pytest.approx(twice.item())


def test_every_loss_of_the_project_is_worked_out_here() -> None:
    assert {loss.name for loss in EVERY_SETTING} == set(LOSSES)


@every_setting
def test_terms_add_up_to_what_trains_networks(loss: Any) -> None:
    worked = work_out_random(loss)
    each = loss.build()(*random_examples(), "none").tolist()
    assert [sum(example.terms) for example in worked.examples] == pytest.approx(each, rel=1e-12)
    assert [example.loss for example in worked.examples] == pytest.approx(each, rel=1e-12)
    assert worked.mean == pytest.approx(worked.training_loss, rel=1e-12)
    assert worked.training_loss == loss.build()(*random_examples()).item()


@every_setting
def test_the_gradient_is_what_backpropagation_begins_with(loss: Any) -> None:
    scores_NK, labels_N = random_examples()
    loss.build()(scores_NK.requires_grad_(), labels_N, "sum").backward()
    assert scores_NK.grad is not None
    gradients = [example.gradient for example in work_out_random(loss).examples]
    ours = torch.tensor(gradients, dtype=torch.float64)
    torch.testing.assert_close(ours, scores_NK.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("scores", "shown"), [((1000, 0), (1, 0)), ((-1000, -1000), (1, 1))])
def test_where_exp_is_no_float_the_largest_score_is_subtracted(
    scores: tuple[float, float], shown: tuple[float, float]
) -> None:
    scores_NK = torch.tensor([scores], dtype=torch.float64)
    worked = work_out(CrossEntropyConfig(), scores_NK, torch.tensor([1]), ("a", "b"), ("one",))
    loss = CrossEntropyConfig().build()(scores_NK, torch.tensor([1]))
    assert worked.mean == pytest.approx(loss.item())
    assert worked.examples[0].columns[SHIFTED] == shown
    assert "exp(s_j)" not in worked.examples[0].columns


def test_the_formula_names_the_settings() -> None:
    assert on_the_slide(HingeConfig(margin=2, squared=True)).formula.endswith("s_j - s_y + 2)²")
    assert "t_j" in on_the_slide(CrossEntropyConfig(label_smoothing=0.1)).formula
    assert on_the_slide(CrossEntropyConfig()).formula.endswith("L_i = -log p_y")
