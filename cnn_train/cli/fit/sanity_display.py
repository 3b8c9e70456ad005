"""What the checks before training look like on the screen."""

from collections.abc import Iterable, Iterator, Sequence
from math import floor

from rich.table import Table

from ...checks.sanity import Finding, check_sanity, measure_initial_loss
from ...data.sampling import describe_imbalance
from ...data.twins import Twins, describe_seen, find_twins
from ...errors import CheckFailedError
from ...training.session import Session
from ..console import stderr, warn

LOOKS = {"passed": ("ok", "green"), "failed": ("FAILED", "bold red"), "skipped": ("—", "dim")}
"""Of each outcome: its mark in the table, and the style of its row."""
FEW_IMAGES = 50  # the 95 % interval of an accuracy on fewer is up to ± 14 points or wider
LEAST_AVERAGES = 3  # after so many lengths of the average, e⁻³ = 5 % of the first weights are left


def twins_of(session: Session) -> Iterable[Twins]:
    """Find the images that a run has twice."""
    return find_twins({"training": session.batches.images, "validation": session.val_images})


def doubts(session: Session) -> Iterator[str]:
    """Yield what about the images and their minibatches may not be as the user thinks."""
    yield from map(str, twins_of(session))
    yield from describe_seen(session.val_images, session.seen, "validation")
    config = session.config
    is_evened = config.loss.weights != "none" or config.data.sampling == "balanced"
    if not is_evened and (imbalance := describe_imbalance(session.batches.images)):
        yield imbalance
    if len(session.val_images) < FEW_IMAGES:
        yield (
            f"the best epoch will be chosen on {len(session.val_images)} validation images; "
            "raise data.val_fraction, or trust the choice little"
        )
    plan, epochs = session.batches.plan, session.config.epochs
    sizes = [piece.stop - piece.start for piece in (*plan(0), *plan(epochs - 1))]
    if max(sizes) > session.config.batch_size:
        yield (
            f"the last minibatch takes {max(sizes):,} images, one more than batch_size: batch "
            "statistics of one image would say nothing"
        )
    updates, decay = session.pace.steps(epochs), session.config.ema_decay
    if decay and updates * (1 - decay) < LEAST_AVERAGES:
        yield (
            f"ema_decay {decay:g} averages over about {1 / (1 - decay):,.0f} updates and the run "
            f"makes {updates:,}: its warm-up will average about the last tenth of them instead; "
            f"take at most {floor(max(1 - LEAST_AVERAGES / updates, 0) * 1e6) / 1e6:g}, 0 for none"
        )
    if 1 in sizes and any("BatchNorm" in type(part).__name__ for part in session.model.modules()):
        yield (
            "batch norm sees one image at a time, and evaluation will use statistics that it never "
            "trained with; raise batch_size"
        )


def show_first_loss(session: Session, *, starts_anew: bool) -> None:
    """Say what the first minibatch costs before the first update, and what guessing would."""
    first = measure_initial_loss(session)
    fact = f"{first.loss:.4g} before the first update; guessing costs {first.chance:.4g}"
    stderr.print(f"{'first loss':>10}  {fact}", soft_wrap=True)
    if starts_anew and not first.is_near_chance:
        warn("an untrained network should start near guessing; fit --sanity looks for the reason")


def show_sanity(session: Session, *, starts_anew: bool) -> list[Finding]:
    """Make the checks, show a row for each, and what each failure usually means."""
    findings = check_sanity(session, starts_anew=starts_anew)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("sanity check", "", "what was found"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        mark, style = LOOKS[finding.outcome]
        table.add_row(finding.check, mark, finding.found, style=style)
    stderr.print(table)
    for finding in findings:
        if finding.failed:
            warn(f"{finding.check}: this usually means: {finding.meaning}")
    return findings


def require_sane(findings: Sequence[Finding]) -> None:
    """Raise CheckFailedError where a check failed."""
    failed = [finding.check for finding in findings if finding.failed]
    if failed:
        raise CheckFailedError(
            f"sanity: {len(failed)} of {len(findings)} checks failed: {', '.join(failed)}"
        )
