"""Alertmanager's webhook (its payload of version 4) as events: what fires, of which model, by the name of the alert."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ekiben.contract.faults import describe_fault
from ekiben.contract.validation import shorten
from ekiben.pipeline.triggers.events.event import SENTENCE, Event, InvalidEvent, Reason

# Of deploy/monitoring/alerts.yml; an alert of the live score is its user's own, for its labels come from elsewhere.
REASONS: Mapping[str, Reason] = {"EkibenDataChanged": "drift", "EkibenScoreLow": "score"}
MAX_BYTES = 1 << 20  # a group of a thousand alerts has 700 kB
MAX_NAMED = 100  # features in an event


class Alert(BaseModel):
    """What of an alert counts."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    starts: AwareDatetime | None = Field(None, alias="startsAt")


class Payload(BaseModel):
    """A notification; newer fields are Alertmanager's business."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal["4"]
    alerts: tuple[Alert, ...] = Field(max_length=10_000)


def read_alerts(content: bytes, model: str, instances: Collection[str]) -> list[Event]:
    """Return an event for each reason for which alerts of a model fire; raise InvalidEvent if it is no notification.

    An alert is of the model that its label `model` names, or, without one, of a service among `instances`
    (host:port). Of the features that drift there is one event, equal whenever the same alerts are sent again.
    """
    try:
        payload = Payload.model_validate_json(content)
    except ValidationError as error:
        raise InvalidEvent(f"not a notification of Alertmanager, version 4: {describe_fault(error)}") from None
    fired: dict[tuple[str, Reason], list[Alert]] = {}
    for alert in payload.alerts:
        name, labels = alert.labels.get("alertname", ""), alert.labels
        mine = labels["model"] == model if "model" in labels else labels.get("instance") in instances
        if alert.status == "firing" and mine and name in REASONS:
            fired.setdefault((name, REASONS[name]), []).append(alert)
    return [_to_event(model, name, reason, alerts) for (name, reason), alerts in fired.items()]


def _to_event(model: str, name: str, reason: Reason, alerts: list[Alert]) -> Event:
    features = sorted({shorten(alert.labels["feature"]) for alert in alerts if alert.labels.get("feature")})
    since = max((alert.starts for alert in alerts if alert.starts), default=None)
    named = f" of {', '.join(features[:MAX_NAMED])}" if features else ""
    evidence: dict[str, JsonValue] = {"alert": name, "features": [*features[:MAX_NAMED]], SENTENCE: f"{name}{named}"}
    if len(features) > MAX_NAMED:
        evidence["more"] = len(features) - MAX_NAMED
    if since:
        evidence["since"] = since.astimezone(UTC).isoformat()
    return Event(model=model, reason=reason, evidence=evidence, time=datetime.now(UTC))
