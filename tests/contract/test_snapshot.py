"""Snapshots of one model add up, each window once; what doesn't go together is said in one sentence."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ekiben.contract.reference.bins import NumberBins
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.reference.snapshot import (
    InvalidSnapshot,
    Snapshot,
    Window,
    merge_snapshots,
    parse_snapshot,
)

MONDAY, TUESDAY = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
SIZE = Distribution(column="size", bins=NumberBins(edges=(1.0,)), counts=(5, 4, 1))
REFERENCE = Reference(rows=10, columns=("size",), duplicates=0.0, distributions=(SIZE,))


def window(source: str, start: datetime, *counts: int, **given: Any) -> Window:
    rows = sum(counts)
    return Window(source=source, start=start, rows=rows, counted=rows, features={"size": counts}, answers={}, **given)


def snapshot(*windows: Window, **given: Any) -> Snapshot:
    return Snapshot(**{"model": "shop", "version": "3", "reference": "ab", "span": "days", "windows": windows} | given)


def test_replicas_and_days_add_up() -> None:
    merged = merge_snapshots(
        {
            "a": snapshot(window("a", MONDAY, 1, 2, 0, rejected={"size": 1}), window("a", TUESDAY, 1, 0, 0)),
            "b": snapshot(window("b", MONDAY, 0, 0, 7, rejected={"size": 2, "": 1})),
        }
    )
    assert merged.add_up(SIZE) == (2, 2, 7)
    assert (merged.rows, merged.counted, merged.rejected) == (11, 11, {"size": 3, "": 1})


@pytest.mark.parametrize("order", [("early", "late"), ("late", "early")])
def test_a_window_that_was_saved_twice_counts_once_as_it_was_later(order: tuple[str, str]) -> None:
    saved = {
        "early": snapshot(window("a", MONDAY, 1, 2, 3)),
        "late": snapshot(window("a", MONDAY, 2, 2, 3), window("a", TUESDAY, 1, 1, 1)),
    }
    assert merge_snapshots({name: saved[name] for name in order}).add_up(SIZE) == (3, 3, 4)


def test_what_is_written_is_read_again() -> None:
    written = snapshot(window("a", MONDAY, 1, 2, 3, rejected={"size": 1}))
    assert parse_snapshot(written.model_dump_json().encode(), "a.json") == written


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"model": "bikes", "version": "1"}, "a.json is of shop 3, b.json of bikes 1: only snapshots of one model"),
        ({"reference": "cd", "version": "4"}, "a.json is of shop 3, b.json of shop 4: only snapshots of one model"),
        ({"model": "\x1b[31m\n"}, r"a.json is of shop 3, b.json of \\x1b\[31m\\n 3: only snapshots of one model"),
        ({"span": "hours"}, "a.json has days, b.json has hours: take both from the same address"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_named(other: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidSnapshot, match=sentence.replace("(", r"\(")):
        merge_snapshots({"a.json": snapshot(), "b.json": snapshot(**other)})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "invalid JSON"),
        (b"\xff\xfe", "invalid JSON"),
        (b"[]", "input should be an object"),
        (snapshot().model_dump_json().replace("{", '{"\\u001b[31m": 1, ', 1).encode(), "(`\\x1b[31m`: extra inputs"),
        (b'{"kind": "another"}', "`kind`: input should be 'ekiben monitoring'"),
        (snapshot(window("a", MONDAY, 1)).model_dump_json().replace("+00:00", "").replace("Z", "").encode(), "no UTC"),
        (snapshot(window("a", MONDAY, 1)).model_dump_json().replace('"rows":1', '"rows":-1').encode(), "windows.0"),
    ],
)  # fmt: skip
def test_a_damaged_snapshot_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(InvalidSnapshot, match=r"^a\.json is not a snapshot of `GET /monitoring` \(") as caught:
        parse_snapshot(content, "a.json")
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("counts", [(1, 2), (1, 2, 3, 4), (-1, 2, 3)])
def test_counts_of_other_bins_are_rejected(counts: tuple[int, ...]) -> None:
    good = window("a", MONDAY, 1, 2, 3)
    snapshot(good).check(REFERENCE, "a.json")
    wrong = good.model_copy(update={"features": {"size": counts}})
    with pytest.raises(InvalidSnapshot, match=r"^a\.json: the counts of 'size' are not those of the reference's bins$"):
        snapshot(wrong).check(REFERENCE, "a.json")
