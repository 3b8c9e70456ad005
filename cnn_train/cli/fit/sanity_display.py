"""What the checks before training look like on the screen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..console import stderr, warn

if TYPE_CHECKING:
    from ...checks.sanity import Finding
    from ...training.session import Session

MARKS = {"passed": "ok", "warned": "warning", "failed": "FAILED", "skipped": "—"}
STYLES = {"passed": "green", "warned": "yellow", "failed": "bold red", "skipped": "dim"}


def show_first_loss(session: "Session", *, starts_anew: bool) -> None:
    """Say what the first minibatch costs before the first update, and what guessing would."""
    from ...checks.sanity import measure_initial_loss

    first = measure_initial_loss(session)
    fact = f"{first.loss:.4g} before the first update; guessing costs {first.chance:.4g}"
    stderr.print(f"{'first loss':>10}  {fact}", markup=False, soft_wrap=True)
    if starts_anew and not first.is_near_chance:
        warn("an untrained network should start near guessing; fit --sanity looks for the reason")


def show_sanity(session: "Session", *, starts_anew: bool) -> "list[Finding]":
    """Make the checks, show a row for each, and what each failure usually means."""
    from rich.table import Table

    from ...checks.sanity import check_sanity

    findings = check_sanity(session, starts_anew=starts_anew)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("sanity check", "", "what was found"):
        table.add_column(heading, overflow="fold")
    for one in findings:
        table.add_row(one.check, MARKS[one.outcome], one.found, style=STYLES[one.outcome])
    stderr.print(table)
    for one in findings:
        if one.outcome in ("failed", "warned"):
            warn(f"{one.check}: this usually means: {one.meaning}")
    return findings


def require_sane(findings: "Sequence[Finding]") -> None:
    """Raise CheckFailedError where a check failed."""
    from ...errors import CheckFailedError

    failed = [one.check for one in findings if one.failed]
    if failed:
        raise CheckFailedError(
            f"sanity: {len(failed)} of {len(findings)} checks failed: {', '.join(failed)}"
        )
