"""How many images make a good gradient? All give the exact one slowly, a few a rough one quickly.

    g_B = 1/B Σ over B images drawn from N          E ‖g_B − g‖² = σ²/B · (N − B)/(N − 1)

σ² is how much the gradients of single images differ. Twice the images halve the noise, but cost
twice the time: beyond some size the step hardly gets better. (The last factor is that of drawing
without repetition: with B = N there is no noise left.)

Shape letters: B minibatch, P parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn

from ..errors import UsageError, refusals_explained
from ..machine.device import require_float64
from ..random_streams import make_generator, seed_global_generators
from ..training.session import Session
from .timed_training import Curve, loss_of_all, plain_session, train_for

SIZES = (32, 64, 128, 256)
"""The sizes on the slide; all images are compared as well."""

LEAST_IMAGES = 2 * SIZES[0]
"""A minibatch is at most half of the images: a larger one hardly differs from all of them."""


@dataclass(frozen=True)
class GradientNoise:
    """How far the gradients of minibatches are from that of all images, at the first weights.

    cosine: mean over the minibatches drawn. noise: mean ‖g_B − g‖² / ‖g‖². noise_of_one: the same
    for a single image, σ²/‖g‖²; equal for all sizes if the noise falls as 1/B.
    """

    cosine: float
    noise: float
    noise_of_one: float | None


@dataclass(frozen=True)
class SizeResult:
    """One size of minibatch (None: all images): its gradients, and how training with it went."""

    batch_size: int | None
    gradient: GradientNoise
    curve: Curve


@dataclass(frozen=True)
class BatchSizes:
    """All sizes, on the same images, from the same weights, with the same rate."""

    num_images: int
    lr: float
    num_draws: int
    has_batch_norm: bool
    sizes: tuple[SizeResult, ...]

    @property
    def law(self) -> list[float]:
        """The noise of each size but the last, as it would be if it fell exactly as 1/B."""
        ones = [s.gradient.noise_of_one for s in self.sizes if s.gradient.noise_of_one is not None]
        sizes = [s.batch_size for s in self.sizes if s.batch_size is not None]
        return [fmean(ones) / n * without_repetition(n, self.num_images) for n in sizes]


def compare_batch_sizes(
    session: Session,
    num_images: int,
    seconds: float,
    num_draws: int,
    advance: Callable[[int], None] = lambda amount: None,
) -> BatchSizes:
    """Measure gradients and train for about ``seconds`` with each size, and with all images.

    Sizes above half of ``num_images`` are left out. Raises UsageError where that leaves none.
    """
    require_float64(session.device, "learn batch-size")
    sizes = sizes_below(min(num_images, len(session.batches.images)))
    first = plain_session(session, None, num_images)
    num_images = len(first.batches.images)
    first_loss, full_P = loss_of_all(first), full_gradient(first)
    noises = [measure_noise(first, size, full_P, num_draws) for size in sizes]
    no_noise = GradientNoise(1.0, 0.0, None)
    results = []
    for size, noise in zip([*sizes, None], [*noises, no_noise], strict=True):
        own = plain_session(session, size, num_images)
        curve = train_for(own, seconds, first_loss, first.batches)
        results.append(SizeResult(size, noise, curve))
        advance(1)
    return BatchSizes(
        num_images=num_images,
        lr=session.config.optimizer.lr,
        num_draws=num_draws,
        has_batch_norm=any(isinstance(m, nn.BatchNorm2d) for m in first.model.modules()),
        sizes=tuple(results),
    )


def sizes_below(num_images: int) -> list[int]:
    """Return the sizes that fit at least twice into ``num_images``."""
    if num_images < LEAST_IMAGES:
        raise UsageError(
            f"{num_images} training images are too few to compare minibatches of {SIZES[0]} with "
            f"all of them; take {LEAST_IMAGES} or more"
        )
    return [size for size in SIZES if 2 * size <= num_images]


def measure_noise(
    session: Session, batch_size: int, full_P: Tensor, num_draws: int
) -> GradientNoise:
    """Draw minibatches and compare the gradient of each with that of all images."""
    num_images, seed = len(session.batches.images), session.config.seed
    cosines, noises = [], []
    for i in range(num_draws):
        generator = make_generator(seed, "minibatch", batch_size, i)
        index_B = torch.randperm(num_images, generator=generator)[:batch_size]
        gradient_P = gradient_of(session, index_B)
        cosines.append(float(gradient_P @ full_P / (gradient_P.norm() * full_P.norm())))
        noises.append(float((gradient_P - full_P).square().sum() / full_P.square().sum()))
    noise = fmean(noises)
    noise_of_one = noise * batch_size / without_repetition(batch_size, num_images)
    return GradientNoise(fmean(cosines), noise, noise_of_one)


def without_repetition(batch_size: int, num_images: int) -> float:
    """Return (N − B)/(N − 1): the factor of the variance when no image is drawn twice."""
    return (num_images - batch_size) / (num_images - 1)


def full_gradient(session: Session) -> Tensor:
    """Return the gradient (P) of the mean over all images, added up in the session's pieces."""
    order_N, plan = session.batches.order(0), session.batches.plan(0)
    parts = [p.share * gradient_of(session, order_N[p.start : p.stop]) for p in plan]
    return torch.stack(parts).sum(0)


def gradient_of(session: Session, index_B: Tensor) -> Tensor:
    """Return the gradient (P, float64) of the mean loss + λR of these images at the weights now."""
    model = session.model.train()
    images_BCHW, labels_B = session.batches.images.take(index_B)
    inputs_BCHW = session.batches.normalization(images_BCHW)
    seed_global_generators(session.config.seed, "dropout", 0)
    with refusals_explained():
        loss = session.loss_fn(session.forward(inputs_BCHW), labels_B)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    total = loss + session.penalty()
    gradients = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in gradients]).double()
