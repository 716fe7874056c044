"""Decisions as lines for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any

from ekiben.contract.text_lines import printable
from ekiben.training.redaction import redact


def list_lines(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a line for each decision: when, how often until when, and what and why."""
    for record in records:
        count = record["count"]
        often = f" (and {count - 1:,} more until {record['until']})" if count > 1 else ""
        yield printable(redact(f"{record['time']} {record['sentence']}{often}"))
    if not records:
        yield "no decisions yet: `ekiben watch` makes them"
