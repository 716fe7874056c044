"""A line of the log in JSON: one object in one line, whatever it holds, and no row of a caller's."""

import json
import logging
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben.service.logs.bounds import Bucket, StackLimit
from ekiben.service.logs.json_lines import MAX_LINE_BYTES, format_line, format_record
from ekiben.service.logs.stacks import describe_stack

HOSTILE = st.text(st.characters(exclude_categories=[]), max_size=50)


def record(message: str, error: BaseException | None = None, **extra: Any) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("bentoml.service", logging.ERROR, "file.py", 1, message, (), info)
    made.__dict__.update(extra)
    return made


def parse(line: bytes) -> dict[str, Any]:
    assert line.endswith(b"\n")
    assert line.isascii()
    assert len(line.decode().splitlines()) == 1
    assert len(line) <= MAX_LINE_BYTES
    parsed: dict[str, Any] = json.loads(line)
    return parsed


@given(HOSTILE, HOSTILE)
def test_whatever_is_said_is_one_object_in_one_line(message: str, path: str) -> None:
    said = parse(format_line("info", "ekiben", message, {"path": path}))
    assert list(said) == ["time", "level", "logger", "message", "path"]
    json.dumps(said, ensure_ascii=False).encode()  # no surrogate is left


@pytest.mark.parametrize("character", ["a", "\0", "\U0001f600", "\ud800"])
def test_a_long_one_keeps_both_ends_and_its_bound(character: str) -> None:
    said = parse(format_line("info", "ekiben", f"begin{character * 10**6}end", {"stack": character * 10**6}))
    assert said["message"].startswith("begin")
    assert said["message"].endswith("end")


def test_the_time_is_rfc_3339_in_utc_with_milliseconds() -> None:
    said = parse(format_line("info", "ekiben", "", {}, created=1.5))
    assert said["time"] == "1970-01-01T00:00:01.500Z"
    assert datetime.fromisoformat(said["time"]).timestamp() == 1.5


def fail_on_a_row() -> BaseException:
    try:
        try:
            float("Miller, 52, diabetic")
        except ValueError as error:
            raise KeyError("Miller again") from error
    except KeyError as error:
        return error
    raise AssertionError


def test_an_exception_is_its_types_and_stack_without_the_words_that_quote_a_row() -> None:
    said = parse(format_record(record("unexpected KeyError", fail_on_a_row(), fields={"request_id": "r1"})))
    assert (said["error"], said["request_id"], said["level"]) == ("KeyError", "r1", "error")
    assert "ValueError" in said["stack"]
    assert "fail_on_a_row" in said["stack"]
    source = 'float("Miller, 52, diabetic")'  # the code's line is in a stack, and here it has the value
    assert "Miller" not in said["stack"].replace(source, "").replace('KeyError("Miller again")', "")


def test_the_systems_own_reason_stays() -> None:
    assert describe_stack(OSError(28, "No space left on device")).endswith("OSError: No space left on device")


def test_the_repr_of_a_failed_task_is_left_out() -> None:
    message = "Task exception was never retrieved\nfuture: <Task exception=ValueError('Miller')>"
    assert parse(format_record(record(message, name="asyncio")))["message"] == "Task exception was never retrieved"


def test_a_flood_of_exceptions_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("ekiben.service.logs.bounds.time.monotonic", lambda: now[0])
    limit = StackLimit()
    passed = [limit.filter(record("it failed", ValueError())) for _ in range(1000)]
    assert sum(passed) == 20
    now[0] = 11.0
    after = record("it failed", ValueError())
    assert limit.filter(after)
    assert after.getMessage() == "it failed (980 exceptions before it were left out)"
    assert limit.filter(record("no exception"))


def test_a_bucket_lets_so_many_through_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("ekiben.service.logs.bounds.time.monotonic", lambda: now[0])
    bucket = Bucket(10, 5)
    assert [bucket.take() for _ in range(7)] == [True] * 5 + [False] * 2
    now[0] = 0.1
    assert [bucket.take(), bucket.take()] == [True, False]
    assert (bucket.take_left_out(), bucket.take_left_out()) == (3, 0)
