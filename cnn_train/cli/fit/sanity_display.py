"""What the checks before training look like on the screen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import CheckFailedError
from ..console import stderr, warn

if TYPE_CHECKING:
    from ...checks.sanity import Finding
    from ...training.session import Session

LOOKS = {"passed": ("ok", "green"), "failed": ("FAILED", "bold red"), "skipped": ("—", "dim")}
"""Of each outcome: its mark in the table, and the style of its row."""


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
    for finding in findings:
        mark, style = LOOKS[finding.outcome]
        table.add_row(finding.check, mark, finding.found, style=style)
    stderr.print(table)
    for finding in findings:
        if finding.failed:
            warn(f"{finding.check}: this usually means: {finding.meaning}")
    return findings


def require_sane(findings: "Sequence[Finding]") -> None:
    """Raise CheckFailedError where a check failed."""
    failed = [finding.check for finding in findings if finding.failed]
    if failed:
        raise CheckFailedError(
            f"sanity: {len(failed)} of {len(findings)} checks failed: {', '.join(failed)}"
        )
