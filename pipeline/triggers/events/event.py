"""The event that asks for a training: of which model, why, and what shows it; read strictly from anyone's JSON."""

import hashlib
import json
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ekiben.contract.errors import UserError
from ekiben.contract.faults import describe_fault
from ekiben.training.redaction import redact_json

MAX_BYTES = 64 * 1024  # of an event's JSON
Reason = Literal["manual", "schedule", "new rows", "new labels", "drift", "score"]
SENTENCE = "sentence"  # of the evidence: what it shows, in words


class InvalidEvent(UserError):
    """What should be an event is none."""


def _check_evidence(evidence: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        json.dumps(evidence, allow_nan=False)
    except ValueError:
        raise ValueError("it holds NaN or an infinite number, which JSON has not") from None
    return evidence


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected a moment of the years 1 to 9999") from None


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it holds what can't be printed")
    return text


class Event(BaseModel):
    """Why a model is to be trained again; `time` is when the sender saw it, UTC, and decides nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)
    version: Annotated[str, AfterValidator(_check_printable)] = Field("", max_length=63)  # that answers now, if known
    reason: Reason
    evidence: Annotated[dict[str, JsonValue], AfterValidator(_check_evidence)] = Field(default_factory=dict)
    time: Annotated[AwareDatetime, AfterValidator(_to_utc)] = Field(default_factory=partial(datetime.now, UTC))
    id: Annotated[str, AfterValidator(_check_printable)] = Field(
        default_factory=lambda: uuid4().hex, min_length=1, max_length=128
    )

    @property
    def key(self) -> str:
        """The digest of reason and evidence, which is the same whenever and by whomever it is said."""
        said = json.dumps([self.model, self.reason, self.evidence], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def to_json(self) -> str:
        """Return the event in one line of JSON."""
        return self.model_dump_json()


def parse_event(content: bytes) -> Event:
    """Return the event that JSON holds; raise InvalidEvent, naming the field that is wrong, if it holds none."""
    check_size(content)
    try:
        event = Event.model_validate_json(content)
    except ValidationError as error:
        raise InvalidEvent(f"not an event: {describe_fault(error)}") from None
    check_size(event.to_json().encode())  # é may come as one byte and leave as two
    return event


def redact_event(event: Event) -> Event:
    """Return the event without the secrets of the environment in its evidence: it is stored, logged and passed on."""
    return event.model_copy(update={"evidence": redact_json(event.evidence)})


def check_size(content: bytes) -> None:
    """Raise InvalidEvent if an event has too many bytes."""
    if len(content) > MAX_BYTES:
        advice = "name in the evidence where the rest is"
        raise InvalidEvent(f"the event has {len(content):,} bytes, more than {MAX_BYTES:,}: {advice}")
