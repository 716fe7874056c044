"""Labels are taken, checked against the target, and kept once; what can't be kept is not said to be."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ekiben.contract.errors import InvalidInput
from ekiben.contract.schema import Target
from ekiben.service.errors import BadRequest, Overloaded
from ekiben.service.row_log import ids_seen, label_log, latest_labels
from ekiben.service.row_log.folder import Folder, LocalFolder, PartNames
from ekiben.service.row_log.ids_seen import IdsSeen
from ekiben.service.row_log.label_log import LabelLog
from ekiben.service.row_log.labels import LabelReader, Labels, Receipt
from ekiben.service.row_log.latest_labels import LatestLabels
from ekiben.service.row_log.watched_labels import WatchedLabels
from tests.service.row_log.log_reading import read_labels, read_latest

LATE = Target(name="late", classes=(False, True))
STARS = Target(name="stars", task="multiclass", classes=(1, 2, 3))
COLOUR = Target(name="colour", task="multiclass", classes=("red", "green", "blue"))
PRICE = Target(name="price", task="regression")


def read(target: Target, content: Any, most: int = 10) -> Labels:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return LabelReader(target, most).read_body(body)


def keep_all(folder: Path | Folder, scenario: Callable[[LabelLog], Awaitable[None]], target: Target = LATE) -> IdsSeen:
    """Run a scenario against a log of labels; return what it takes for the logged rows."""
    rows = IdsSeen()

    async def main() -> None:
        kept = LocalFolder(folder) if isinstance(folder, Path) else folder
        log = LabelLog(target, kept, PartNames("labels"), rows)
        rows.add(["logged", "logged/1"])
        await scenario(log)
        await log.close()

    asyncio.run(main())
    return rows


# What is a label


@pytest.mark.parametrize(
    "content",
    [
        {"id": "a", "label": True},
        [{"id": "a", "label": True}],
        {"labels": [{"id": "a", "label": True}]},
        {"labels": [{"id": "a", "label": False}, {"id": "a", "label": True}]},  # of an id the last counts
    ],
)
def test_labels_come_one_or_many(content: Any) -> None:
    labels = read(LATE, content)
    assert (labels.ids, labels.values) == (["a"], ["true"])


@pytest.mark.parametrize(
    ("target", "label", "kept"),
    [
        (STARS, 2, "2"), (STARS, 2.0, "2"), (COLOUR, "red", '"red"'),
        (PRICE, 3, 3.0), (PRICE, -1.5, -1.5), (LATE, False, "false"),
    ],
)  # fmt: skip
def test_a_label_is_a_class_or_a_number(target: Target, label: Any, kept: Any) -> None:
    assert read(target, {"id": "a", "label": label}).values == [kept]


@pytest.mark.parametrize(
    ("target", "label", "sentence"),
    [
        (LATE, 1, "row 0: `label`: expected one of false, true, got 1"),
        (LATE, "true", "expected one of false, true, got 'true'"),
        (LATE, None, "got null"),
        (STARS, 4, "expected one of 1, 2, 3, got 4"),
        (STARS, True, "got true"),
        (STARS, 1.5, "got 1.5"),
        (COLOUR, "Red", "expected one of 'red', 'green', 'blue', got 'Red'"),
        (COLOUR, ["red"], "got a list"),
        (PRICE, "3", "expected a finite number, got '3'"),
        (PRICE, True, "got true"),
        (PRICE, 10**400, "got a huge integer"),
    ],
)
def test_a_wrong_label_is_named(target: Target, label: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        read(target, {"id": "a", "label": label})


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"[{]", 400, "not valid JSON"),
        (7, 400, 'expected {"id": …, "label": …}, a list of these'),
        ([], 400, "there are no labels"),
        ({"labels": 7}, 400, "got 7"),
        ([{"id": "a", "label": True}] * 11, 413, "11 labels are more than 10: send them in several requests"),
        ([{"id": "a"}], 400, 'row 0: expected {"id": …, "label": …}, got an object with `id`'),
        ([{"id": "a", "label": True}, 3], 400, "row 1: expected"),
        ({"id": 3, "label": True}, 400, "`id`: expected an answer's id"),
        ({"id": "x" * 200, "label": True}, 400, "`id`: expected an answer's id"),
        ({"id": "größe", "label": True}, 400, "`id`: expected an answer's id"),
    ],
)
def test_what_holds_no_labels_is_one_sentence(content: Any, status: int, sentence: str) -> None:
    with pytest.raises((BadRequest, InvalidInput)) as caught:
        read(LATE, content)
    assert getattr(caught.value, "status", 400) == status
    assert sentence in str(caught.value)


# What becomes of it


def test_a_label_is_kept_once(tmp_path: Path) -> None:
    given = [{"id": "logged", "label": True}, {"id": "logged/1", "label": False}, {"id": "stranger", "label": True}]

    async def scenario(log: LabelLog) -> None:
        labels = read(LATE, given)
        assert await log.keep(labels) == Receipt(added=3, known=0, unknown=1, late=0)
        assert await log.keep(labels) == Receipt(added=0, known=3, unknown=0, late=0)
        changed = await log.keep(read(LATE, {"id": "logged", "label": False}))
        assert changed == Receipt(added=1, known=0, unknown=0, late=0)
        again = await log.keep(read(LATE, {"id": "logged", "label": True}))  # the latest is to be the latest
        assert again == changed

    keep_all(tmp_path, scenario)
    rows = [("logged", "false"), ("logged", "true"), ("logged", "true"), ("logged/1", "false"), ("stranger", "true")]
    assert read_labels(tmp_path) == rows


def test_a_label_whose_row_is_older_than_what_is_remembered_is_late(tmp_path: Path) -> None:
    async def scenario(log: LabelLog) -> None:
        before, since = f"{int(time.time()) - 86_400:08x}" + "0" * 16, f"{int(time.time()) + 5:08x}" + "0" * 16
        labels = read(LATE, [{"id": before, "label": True}, {"id": since, "label": True}])
        assert await log.keep(labels) == Receipt(added=2, known=0, unknown=1, late=1)

    keep_all(tmp_path, scenario)


def test_the_oldest_ids_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids_seen, "KEPT", 100)
    seen, began = IdsSeen(), time.time()
    ids = [str(number) for number in range(250)]
    for first in range(0, 250, 50):
        seen.add(ids[first : first + 50])
    assert seen.find(ids).tolist() == [False] * 150 + [True] * 100
    assert seen.find(ids[140:160]).tolist() == [False] * 10 + [True] * 10
    assert seen.since >= began
    seen.add(ids)
    assert seen.find(ids).sum() == 100


def test_of_labels_that_come_together_the_last_counts(tmp_path: Path) -> None:
    async def scenario(log: LabelLog) -> None:
        given = [read(LATE, {"id": "logged", "label": label}) for label in (True, True, False, True)]
        receipts = await asyncio.gather(*map(log.keep, given))
        assert [receipt.added for receipt in receipts] == [1, 0, 1, 1]

    keep_all(tmp_path, scenario)
    assert read_latest(tmp_path) == {"logged": "true"}


def test_the_labels_of_the_oldest_ids_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest_labels, "KEPT", 2)
    latest = LatestLabels()
    latest.add([("a", "true"), ("b", "true"), ("a", "false"), ("c", "true")])
    assert [latest.find(one) for one in "abc"] == ["false", None, "true"]


def test_labels_that_come_together_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_log, "PART_LABELS", 10)

    async def scenario(log: LabelLog) -> None:
        for first in range(0, 40, 5):
            ids = [str(number) for number in range(first, first + 5)]
            await asyncio.gather(*(log.keep(read(LATE, {"id": one, "label": True})) for one in ids))

    keep_all(tmp_path, scenario)
    assert len(read_labels(tmp_path)) == 40
    assert 4 <= len(list(tmp_path.iterdir())) <= 8


def test_numbers_are_kept_as_numbers(tmp_path: Path) -> None:
    async def scenario(log: LabelLog) -> None:
        await log.keep(read(PRICE, [{"id": "a", "label": 3}, {"id": "b", "label": -1.5}]))

    keep_all(tmp_path, scenario, PRICE)
    assert read_labels(tmp_path) == [("a", 3.0), ("b", -1.5)]


def test_what_can_t_be_written_is_rejected_and_may_be_sent_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "labels"
    folder.write_text("a file where the folder should be")

    async def scenario(log: LabelLog) -> None:
        labels = read(LATE, {"id": "logged", "label": True})
        with pytest.raises(BadRequest, match="send them again later") as caught:
            await log.keep(labels)
        assert (caught.value.status, caught.value.headers[0][0]) == (503, b"retry-after")
        folder.unlink()
        assert (await log.keep(labels)).added == 1

    keep_all(folder, scenario)
    assert read_labels(folder) == [("logged", "true")]
    assert "labels are rejected" in caplog.text


def test_a_watcher_that_fails_keeps_nobody_waiting(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def fail(labels: Labels) -> None:
        raise OverflowError

    async def scenario(log: LabelLog) -> None:
        watched = WatchedLabels(log.keep)
        watched.watchers = {"first": fail, "second": lambda labels: seen.extend(labels.ids)}
        async with asyncio.timeout(60):
            together = [watched.keep(read(PRICE, {"id": one, "label": 1e300})) for one in "ab"]
            assert [receipt.added for receipt in await asyncio.gather(*together)] == [1, 1]
        assert seen == ["a", "b"]

    keep_all(tmp_path, scenario, PRICE)
    assert "first: labels can't be taken" in caplog.text


def test_labels_that_wait_for_a_slow_disk_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_log, "MAX_WAITING_LABELS", 3)
    gate = threading.Event()

    class Slow:
        def write(self, name: str, content: bytes) -> None:
            gate.wait(60)

    async def scenario(log: LabelLog) -> None:
        waiting = [asyncio.ensure_future(log.keep(read(LATE, {"id": one, "label": True}))) for one in "abc"]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await log.keep(read(LATE, {"id": "d", "label": True}))
        gate.set()
        assert [receipt.added for receipt in await asyncio.gather(*waiting)] == [1, 1, 1]
        assert (await log.keep(read(LATE, {"id": "d", "label": True}))).added == 1

    keep_all(Slow(), scenario)
