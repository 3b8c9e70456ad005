import pytest
import torch

from cnn_train.losses.cross_entropy import cross_entropy
from cnn_train.metrics.tally import Tally


def random_scores(num: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores_NK = torch.randn(num, 4, generator=generator, dtype=torch.float64)
    return scores_NK, torch.randint(4, (num,), generator=generator)


@pytest.mark.parametrize("sizes", [[10], [4, 4, 2], [1, 9], [3, 3, 3, 1]])
def test_means_over_uneven_minibatches_equal_those_over_the_whole_set(sizes: list[int]) -> None:
    scores_NK, labels_N = random_scores(10)
    total = Tally.zero()
    for scores_BK, labels_B in zip(scores_NK.split(sizes), labels_N.split(sizes), strict=True):
        loss = cross_entropy(scores_BK, labels_B)
        total += Tally.of(loss, torch.tensor(0.25), scores_BK, labels_B)
    assert total.num_examples == 10
    assert total.loss == pytest.approx(cross_entropy(scores_NK, labels_N).item(), abs=1e-12)
    assert total.accuracy == (scores_NK.argmax(1) == labels_N).double().mean().item()
    assert total.penalty == 0.25


def test_counts_by_class_add_up_over_minibatches_and_with_nothing() -> None:
    scores_NK, labels_N = random_scores(10)
    total, no_loss = Tally.zero(4) + Tally.zero(), torch.tensor(0.0)
    assert total.counts_3K.tolist() == [[0] * 4] * 3
    for scores_BK, labels_B in zip(
        scores_NK.split([4, 5, 1]), labels_N.split([4, 5, 1]), strict=True
    ):
        total += Tally.of(no_loss, no_loss, scores_BK, labels_B, num_classes=4) + Tally.zero()
    best = scores_NK.argmax(1).tolist()
    hits = [guess for guess, label in zip(best, labels_N.tolist(), strict=True) if guess == label]
    expected = [[values.count(k) for k in range(4)] for values in (hits, labels_N.tolist(), best)]
    assert total.counts_3K.tolist() == expected
    assert total.num_correct == sum(expected[0])


def test_accuracy_counts_the_examples_whose_highest_score_is_the_labels() -> None:
    scores_BK = torch.tensor([[1.0, 2], [3, 0], [0, 1], [5, 6]])
    tally = Tally.of(torch.tensor(0.0), torch.tensor(0.0), scores_BK, torch.tensor([1, 0, 0, 0]))
    assert tally.accuracy == 0.5


def test_a_tally_holds_no_graph_and_stays_a_tensor_until_it_is_asked() -> None:
    scores_BK = torch.ones(2, 3, requires_grad=True)
    tally = Tally.of(scores_BK.sum(), scores_BK.sum(), scores_BK, torch.tensor([0, 1]))
    for part in (tally.loss_sum, tally.penalty_sum, tally.num_correct):
        assert isinstance(part, torch.Tensor)
        assert not part.requires_grad
