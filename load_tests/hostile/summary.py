"""What the attacks of each kind did at worst: a table that a page of documentation has room for."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from ekiben.load_tests.hostile.verdict import Result

HEAD = (
    "| attacks that begin so | how many | sent MB | peak × | after × | CPU s | p99 ms | errors | did harm |",
    "|---|--:|--:|--:|--:|--:|--:|--:|---|",
)


def write_summary(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of the table, a row for each kind: the worst of each number, and all errors."""
    yield from HEAD
    for kind, group in groupby(sorted(results, key=_find_kind), _find_kind):
        yield _write_row(kind, list(group))


def _find_kind(result: Result) -> str:
    return result.attack.name.partition("-")[0]


def _write_row(kind: str, group: Sequence[Result]) -> str:
    harmful = [one.attack.name for one in group if one.did_harm]
    cells = (
        kind,
        str(len(group)),
        f"{max(one.traffic.sent if one.traffic else 0 for one in group) / 1e6:.1f}",
        f"{max(one.peak_mib / one.before_mib for one in group):.2f}",
        f"{max(one.after_mib / one.before_mib for one in group):.2f}",
        f"{max(one.cpu_s for one in group):.1f}",
        f"{max(one.p99_ms for one in group):.0f}",
        str(sum(sum(one.errors.values()) for one in group)),
        ", ".join(harmful),
    )
    return f"| {' | '.join(cells)} |"
