"""Events are read strictly, plain and as CloudEvents, and whatever is wrong is one sentence."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekiben.pipeline.triggers.events.cloud_event import STRUCTURED, read_event, to_binary, to_structured
from ekiben.pipeline.triggers.events.event import MAX_BYTES, InvalidEvent, parse_event, redact_event
from tests.pipeline.triggers.recorded_runs import NOON, make_event

PLAIN = {"model": "shop", "reason": "new rows"}
WRAPPED = {"specversion": "1.0", "type": "ekiben.retrain", "source": "/a", "id": "7", "data": PLAIN}


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def reject(content: bytes, headers: Mapping[str, str] | None = None) -> str:
    with pytest.raises(InvalidEvent) as caught:
        read_event(headers or {}, content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_not_said_is_filled_in() -> None:
    event = parse_event(dump(PLAIN))
    assert (event.model, event.version, event.evidence) == ("shop", "", {})
    assert event.id
    assert abs((datetime.now(UTC) - event.time).total_seconds()) < 60
    assert parse_event(event.to_json().encode()) == event


def test_a_moment_becomes_utc() -> None:
    event = parse_event(dump(PLAIN | {"time": "2026-11-27T12:00:00+03:30"}))
    assert event.time == datetime(2026, 11, 27, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"reason": "fun"},
            "`reason`: input should be 'manual', 'schedule', 'new rows', 'new labels', 'drift' or 'sco",
        ),
        ({"model": "../etc"}, "`model`: string should match pattern"),
        ({"model": 5}, "`model`: input should be a valid string"),
        ({"colour": 1}, "`colour`: extra inputs are not permitted"),
        ({"evidence": [1]}, "`evidence`: input should be an object"),
        ({"evidence": {"a": float("nan")}}, "`evidence`: it holds NaN or an infinite number"),
        ({"time": "2026-11-27T12:00:00"}, "`time`: input should have timezone info"),
        ({"time": "0001-01-01T00:00:00+23:00"}, "`time`: expected a moment of the years 1 to 9999"),
        ({"id": "a\nb"}, "`id`: it holds what can't be printed"),
        ({"id": ""}, "`id`: string should have at least 1 character"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], sentence: str) -> None:
    assert reject(dump(PLAIN | fields)).startswith(f"not an event: {sentence}")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"null", b"[" * 5000, b'{"a":' * 5000])
def test_what_is_no_object_is_said(content: bytes) -> None:
    assert reject(content).startswith("not an event: ")


def test_a_large_event_is_rejected() -> None:
    assert reject(b" " * (MAX_BYTES + 1)).startswith("the event has 65,537 bytes, more than 65,536")
    grows = dump(PLAIN | {"evidence": {"a": "x" * (MAX_BYTES - 200)}})
    assert parse_event(grows).to_json()
    assert "more than 65,536" in reject(
        b'{"model":"shop","reason":"drift","evidence":{"a":[' + b"1e9," * 16_000 + b"1]}}"
    )


def test_both_envelopes_lead_back_to_the_event() -> None:
    event = make_event(evidence={"text": "é, \u202e and \x00"}, version="3")
    assert read_event({"content-type": f"{STRUCTURED}; charset=utf-8"}, to_structured(event)) == event
    headers, body = to_binary(event)
    assert read_event(headers, body) == event
    assert all(text.isascii() and text.isprintable() for text in headers.values())


def test_an_envelope_of_others_is_read() -> None:
    others = WRAPPED | {"traceparent": "00-1", "datacontenttype": "application/json", "time": "2026-01-01T00:00:00Z"}
    event = read_event({"content-type": STRUCTURED}, dump(others))
    assert (event.id, event.time.year, event.reason) == ("7", 2026, "new rows")
    encoded = {**WRAPPED, "data_base64": base64.b64encode(dump(PLAIN)).decode()}
    del encoded["data"]
    assert read_event({"content-type": STRUCTURED}, dump(encoded)).id == "7"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"specversion": "0.3"}, "not a CloudEvent of a training: `specversion`: input should be '1.0'"),
        ({"type": "order.placed"}, "not a CloudEvent of a training: `type`: input should be 'ekiben.retrain'"),
        ({"id": ""}, "not a CloudEvent of a training: `id`: string should have at least 1 character"),
        ({"data": None}, "not an event: input should be an object"),
        ({"data": {"model": "shop"}}, "not an event: `reason`: field required"),
        ({"data_base64": "!!"}, "not a CloudEvent: `data_base64` is not base64"),
        ({"time": "noon"}, "not an event: `time`: "),
    ],
)
def test_a_wrong_envelope_is_said(fields: dict[str, Any], sentence: str) -> None:
    assert reject(dump(WRAPPED | fields), {"content-type": STRUCTURED}).startswith(sentence)


def test_batches_and_half_a_binary_envelope_are_rejected() -> None:
    assert reject(b"[]", {"content-type": "application/cloudevents-batch+json"}).startswith("a batch of CloudEvents")
    headers = {"ce-specversion": "1.0", "ce-type": "ekiben.retrain", "ce-id": "1"}
    assert reject(dump(PLAIN), headers) == "not a CloudEvent of a training: `source`: field required"


@given(st.binary(max_size=300), st.sampled_from(["", "application/json", STRUCTURED]))
def test_any_bytes_are_an_event_or_one_sentence(content: bytes, kind: str) -> None:
    try:
        said = read_event({"content-type": kind}, content).model
    except InvalidEvent as error:
        said = str(error)
    assert said.isprintable()


def test_equal_evidence_has_one_key() -> None:
    assert make_event(1).key == make_event(1, id="other", time=NOON).key
    assert len({make_event(1).key, make_event(2).key, make_event(1, "score").key}) == 3


def test_secrets_of_the_environment_do_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_TOKEN", "opensesame")
    event = redact_event(make_event(evidence={"a": ["x opensesame"], "opensesame": {"b": 3}}))
    assert event.evidence == {"a": ["x …"], "…": {"b": 3}}
