"""A report of drift in words, for the terminal and the page."""

from collections.abc import Iterator

from ekiben.contract.reference.alarms.alarm_text import describe_alarms
from ekiben.contract.reference.alarms.findings import AlarmReport
from ekiben.contract.reference.drift import DriftReport, Shift
from ekiben.contract.reference.reference import Distribution
from ekiben.contract.reference.snapshot import LENGTHS, Snapshot
from ekiben.contract.text_lines import printable

MAX_MOVES = 3
NOTABLE = 0.005  # a share of the rows
NAME_WIDTH = 28


def describe_snapshot(snapshot: Snapshot) -> Iterator[str]:
    """Yield what was counted, when, and what was rejected."""
    if not snapshot.windows:
        yield "No row was answered yet."
        return
    first, last = (pick(window.start for window in snapshot.windows) for pick in (min, max))
    end = last + LENGTHS[snapshot.span]
    sources = len({window.source for window in snapshot.windows})
    counted = "" if snapshot.counted == snapshot.rows else f", {snapshot.counted:,} of them counted"
    processes = "one process" if sources == 1 else f"{sources} processes"
    yield f"{snapshot.rows:,} rows{counted}, from {first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, of {processes}."
    rejected = sorted(snapshot.rejected.items(), key=lambda item: -item[1])
    if rejected:
        fields = ", ".join(f"{name or 'other fields'} {count:,}" for name, count in rejected)
        yield f"Rejected values that don't fit the schema: {fields}."


def describe_shift(shift: Shift) -> Iterator[str]:
    """Yield how far it has moved, what that does to the answers, and where values are missing or new."""
    chance = f"below {shift.chance:.2g} it is chance" if shift.rows else "no rows yet"
    yield f"{shift.verdict}, PSI {shift.psi:.3f} ({chance})"
    if shift.then.effects and shift.rows:
        yield f"the mean answer changes by {shift.expected_change:+.3g} through it"
    for name, index in zip(("missing", "never seen"), reversed(shift.then.special), strict=False):
        before, change = shift.then.shares[index], shift.moved[index]
        if abs(change) >= NOTABLE:
            yield f"{name}: {before:.1%} then, {before + change:.1%} now"


def describe_moves(shift: Shift) -> list[list[str]]:
    """Return the bins whose share has changed most: label, share then and now, and what the model answers there."""
    order = sorted(range(len(shift.moved)), key=lambda index: -abs(shift.moved[index]))[:MAX_MOVES]
    moves = []
    for index in order:
        if abs(shift.moved[index]) < NOTABLE:
            continue
        before = shift.then.shares[index]
        effect = [_show_effect(shift.then, index)] if shift.then.effects else []
        moves.append([shift.then.labels[index], f"{before:.1%}", f"{before + shift.moved[index]:.1%}", *effect])
    return moves


def _show_effect(then: Distribution, index: int) -> str:
    return f"{then.effects[index]:+.3g}" if then.counts[index] else "unknown"


def render_text(report: DriftReport, alarms: AlarmReport) -> str:
    """Return the report for a terminal: the alarms, and a line for each distribution, the worst first."""
    snapshot = report.snapshot
    lines = [f"{snapshot.model} {snapshot.version}, now beside training", *describe_snapshot(snapshot)]
    lines += ["alarms:", *(f"  {line}" for line in describe_alarms(alarms))]
    for title, shifts in (("answers", report.answers), ("features, the worst first", report.features)):
        lines.append(f"{title}:")
        lines += map(_render_line, shifts)
    return "\n".join(map(printable, lines))


def _render_line(shift: Shift) -> str:
    return f"  {shift.then.name:{NAME_WIDTH}} {'; '.join(describe_shift(shift))}"
