"""Events in the envelope of CloudEvents 1.0 (https://cloudevents.io): structured JSON, or binary as HTTP headers."""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ekiben.contract.faults import describe_fault
from ekiben.pipeline.triggers.events.event import Event, InvalidEvent, check_size, parse_event

STRUCTURED = "application/cloudevents+json"
TYPE = "ekiben.retrain"
PREFIX = "ce-"  # of an attribute's header


class Envelope(BaseModel):
    """The attributes that are required, and those that say something here; extensions are nobody's business."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    specversion: Literal["1.0"]
    type: Literal["ekiben.retrain"]
    source: str = Field(min_length=1)
    id: str = Field(min_length=1, max_length=128)
    time: str | None = None
    data: JsonValue = None
    data_base64: str | None = None


def read_event(headers: Mapping[str, str], content: bytes) -> Event:
    """Return the event of an HTTP request, plain or in either envelope; raise InvalidEvent if it holds none.

    Names of headers are in small letters.
    """
    check_size(content)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == STRUCTURED:
        return _open(content)
    if kind.startswith("application/cloudevents"):
        raise InvalidEvent(f"a batch of CloudEvents, or one not in JSON, is not read: send each as {STRUCTURED}")
    if f"{PREFIX}specversion" in headers:
        attributes = {name[len(PREFIX) :]: unquote(text) for name, text in headers.items() if name.startswith(PREFIX)}
        return _read_data(_check(attributes), content)
    return parse_event(content)


def to_structured(event: Event) -> bytes:
    """Return an event as the body of a request of the type STRUCTURED."""
    envelope = _describe(event) | {"datacontenttype": "application/json", "data": _take_data(event)}
    return _dump(envelope)


def to_binary(event: Event) -> tuple[dict[str, str], bytes]:
    """Return an event as headers and body."""
    headers = {f"{PREFIX}{name}": quote(text, safe="/:+ ") for name, text in _describe(event).items()}
    return headers | {"content-type": "application/json"}, _dump(_take_data(event))


def _open(content: bytes) -> Event:
    try:
        envelope = Envelope.model_validate_json(content)
    except ValidationError as error:
        raise InvalidEvent(f"not a CloudEvent of a training: {describe_fault(error)}") from None
    if envelope.data_base64 is None:
        return _read_data(envelope, _dump(envelope.data))
    try:
        return _read_data(envelope, base64.b64decode(envelope.data_base64, validate=True))
    except (binascii.Error, ValueError):
        raise InvalidEvent("not a CloudEvent: `data_base64` is not base64") from None


def _check(attributes: Mapping[str, str]) -> Envelope:
    try:
        return Envelope.model_validate({name: text for name, text in attributes.items() if not name.startswith("data")})
    except ValidationError as error:
        raise InvalidEvent(f"not a CloudEvent of a training: {describe_fault(error)}") from None


def _read_data(envelope: Envelope, content: bytes) -> Event:
    """Return the event that is the data, with the envelope's id, and its time if it has one."""
    event = parse_event(content)
    outer = {"id": envelope.id} | ({"time": envelope.time} if envelope.time else {})
    return parse_event(_dump(event.model_dump(mode="json") | outer))


def _describe(event: Event) -> dict[str, str]:
    return {
        "specversion": "1.0", "type": TYPE, "source": f"/ekiben/{event.model}", "id": event.id,
        "subject": event.model, "time": event.time.isoformat(),
    }  # fmt: skip


def _take_data(event: Event) -> dict[str, Any]:
    return event.model_dump(mode="json", exclude={"id", "time"})


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()
