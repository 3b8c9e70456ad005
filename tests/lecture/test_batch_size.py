from collections.abc import Callable

import pytest
import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import UsageError
from cnn_train.lecture.batch_size import (
    compare_batch_sizes,
    full_gradient,
    gradient_of,
    measure_noise,
    sizes_below,
    without_repetition,
)
from cnn_train.lecture.timed_training import loss_of_all, plain_session
from cnn_train.training.building import build_session
from cnn_train.training.session import Session


@pytest.fixture
def linear_session(
    make_config: Callable[..., object], make_images: Callable[..., ImageSet], cpu: object
) -> Session:
    """A linear classifier of 300 images: minibatches of any size below differ by chance alone."""
    config = make_config(model={"name": "linear"}, batch_size=16)
    session = build_session(config, make_images(300), make_images(12, seed=1), cpu)  # type: ignore[arg-type]
    return plain_session(session, None, 300)


def test_the_gradient_is_that_of_the_mean_loss_and_lambda_r(linear_session: Session) -> None:
    session, index_B = linear_session, torch.tensor([3, 1, 4])
    images_BCHW = session.batches.normalization(session.batches.images.images_NCHW[index_B])
    scores_BK = session.model(images_BCHW)
    losses_B = session.loss_fn(scores_BK, session.batches.images.labels_N[index_B], "none")
    (losses_B.sum() / 3 + session.penalty()).backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in session.model.parameters()]
    expected_P = torch.cat([gradient.flatten() for gradient in gradients if gradient is not None])
    torch.testing.assert_close(gradient_of(session, index_B), expected_P.double())


def test_the_full_gradient_is_the_same_in_one_piece_and_in_several(linear_session: Session) -> None:
    whole_P = gradient_of(linear_session, torch.arange(300))
    torch.testing.assert_close(full_gradient(linear_session), whole_P, rtol=1e-4, atol=1e-6)


def test_the_noise_falls_as_one_over_the_size_of_the_minibatch(linear_session: Session) -> None:
    """σ² is computed here from all single gradients; each size must agree with it."""
    full_P = full_gradient(linear_session)
    singles = torch.stack([gradient_of(linear_session, torch.tensor([i])) for i in range(300)])
    variance = (singles - full_P).square().sum(1).mean() / full_P.square().sum()
    noises = {size: measure_noise(linear_session, size, full_P, 40) for size in (4, 16, 64, 256)}
    for size, noise in noises.items():
        law = variance.item() / size * without_repetition(size, 300)
        assert noise.noise == pytest.approx(law, rel=0.2), size
        assert noise.noise_of_one == pytest.approx(variance.item(), rel=0.2), size
    assert noises[4].noise > 3 * noises[16].noise > 9 * noises[64].noise


def test_larger_minibatches_point_more_nearly_along_the_full_gradient(
    linear_session: Session,
) -> None:
    full_P = full_gradient(linear_session)
    cosines = [measure_noise(linear_session, size, full_P, 20).cosine for size in (4, 32, 256)]
    assert 0 < cosines[0] < cosines[1] < cosines[2] < 1
    everything = measure_noise(linear_session, 299, full_P, 2)
    assert everything.cosine == pytest.approx(1, abs=0.01)


def test_the_same_seed_draws_the_same_minibatches(linear_session: Session) -> None:
    full_P = full_gradient(linear_session)
    first, second = (measure_noise(linear_session, 32, full_P, 3) for _ in range(2))
    assert first == second


def test_every_size_up_to_half_of_the_images_is_compared_and_all_of_them_last(
    make_config: Callable[..., object], make_images: Callable[..., ImageSet], cpu: object
) -> None:
    config = make_config(model={"name": "linear"})
    session = build_session(config, make_images(129), make_images(12, seed=1), cpu)  # type: ignore[arg-type]
    advanced: list[int] = []
    compared = compare_batch_sizes(session, 1000, 0, 2, advanced.append)
    sizes = compared.sizes
    assert [size.batch_size for size in sizes] == [32, 64, None]
    assert compared.num_images == 129 and advanced == [1, 1, 1]
    assert (sizes[-1].gradient.cosine, sizes[-1].gradient.noise) == (1, 0)
    first, second = compared.law
    assert first / second == pytest.approx(2 * (97 / 65))
    assert not compared.has_batch_norm
    first_loss = loss_of_all(plain_session(session, None, 129))
    for size in sizes:
        assert size.curve.num_images == (size.batch_size or 129) * size.curve.num_updates
        assert size.curve.points[0].loss == first_loss


def test_a_size_of_which_the_images_make_no_two_minibatches_is_left_out() -> None:
    assert sizes_below(64) == sizes_below(127) == [32]
    assert sizes_below(128) == [32, 64]
    assert sizes_below(511) == [32, 64, 128] and sizes_below(10**6) == [32, 64, 128, 256]
    with pytest.raises(UsageError, match=r"63 training images are too few .* take 64 or more"):
        sizes_below(63)
