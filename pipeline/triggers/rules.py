"""The rules of `[retrain]`: pure functions from what is remembered and seen to whether a training begins, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from ekiben.contract.text_lines import printable
from ekiben.contract.validation import shorten
from ekiben.pipeline.triggers.events.event import SENTENCE, Event, Reason
from ekiben.pipeline.triggers.looking.seen import Seen
from ekiben.pipeline.triggers.moment import Moment
from ekiben.pipeline.triggers.state import State
from ekiben.training.durations import DAY_S, read_seconds
from ekiben.training.retrain_config import Retrain

# Why it does not begin, if it does not; equal decisions of a day are one record.
Kind = Literal["train", "running", "cooling down", "budget", "answered", "nothing"]
MINUTE_S, HOUR_S = 60.0, 3600.0


@dataclass(frozen=True)
class Decision:
    """Whether a training begins, in one sentence, and the event that it is about, if any."""

    train: bool
    sentence: str
    event: Event | None
    kind: Kind


def decide(rules: Retrain, state: State, event: Event, now: Moment, running: bool) -> Decision:
    """Decide about one event; `running` is whether a run of the model is on, whoever started it."""
    kind, why = _find_obstacle(rules, state, event, now, running)
    if kind == "train":
        return Decision(True, f"a training begins ({event.reason}: {_describe(event)})", event, kind)
    return Decision(False, f"no training begins: {why}", event, kind)


def choose(rules: Retrain, state: State, events: Sequence[Event], now: Moment, running: bool) -> Decision:
    """Decide about several events: the first that may begin a training does, else the first is told why not."""
    decisions = [decide(rules, state, event, now, running) for event in events]
    quiet = Decision(False, "nothing asks for a training", None, "nothing")
    return next((one for one in decisions if one.train), decisions[0] if decisions else quiet)


def find_events(rules: Retrain, state: State, seen: Seen, model: str, now: Moment) -> Iterator[Event]:
    """Yield what asks for a training, the most urgent first; `state` has counted what was seen."""

    def ask(reason: Reason, evidence: dict[str, JsonValue], version: str = "") -> Event:
        return Event(model=model, version=version, reason=reason, evidence=evidence, time=now.wall)

    if rules.drift:
        yield from (ask("drift", alarm.describe(), alarm.version) for alarm in seen.alarms)
    if rules.score and seen.score and seen.score.is_beyond(rules.score):
        yield ask("score", seen.score.describe(rules.score), seen.score.version)
    counted: tuple[tuple[Reason, int | None, int | None, int | None], ...] = (
        ("new labels", rules.new_labels, state.labels, seen.labels),
        ("new rows", rules.new_rows, state.rows, seen.rows),
    )
    for reason, asked, before, there in counted:
        if asked is not None and before is not None and there is not None and there - before >= asked:
            sentence = f"{there - before:,} {reason}, {asked:,} or more were asked for"
            yield ask(reason, {"new": there - before, "of": there, "asked": asked, SENTENCE: sentence})
    if rules.schedule is not None and now.since(state.last_start) >= read_seconds(rules.schedule):
        since = state.last_start.wall.isoformat(timespec="seconds")
        sentence = f"{rules.schedule} have passed since {since}"
        yield ask("schedule", {"every": rules.schedule, "since": since, SENTENCE: sentence})


def show_seconds(seconds: float) -> str:
    """Return a duration for people: in its largest unit, rounded up to a tenth."""
    for unit, name in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= unit:
            return f"{round(seconds / unit, 1):g} {name}"
    return f"{max(1, round(seconds))} s"


def _find_obstacle(rules: Retrain, state: State, event: Event, now: Moment, running: bool) -> tuple[Kind, str]:
    if running:
        return "running", "a run of the model is on"
    if event.id in state.answered or event.key in state.answered:
        return "answered", "a run has answered this event"
    if state.starts and now.since(state.last_start) < read_seconds(rules.cooldown):
        return "cooling down", f"the last run began less than {rules.cooldown} ago (`cooldown`)"
    if sum(now.since(start) < DAY_S for start in state.starts) >= rules.runs_a_day:
        return "budget", f"{rules.runs_a_day} runs began within a day (`runs_a_day`)"
    return "train", ""


def _describe(event: Event) -> str:
    """Return what the evidence says in words; a stranger's words are shortened, and make no line of their own."""
    said = event.evidence.get(SENTENCE)
    return printable(shorten(said)) if isinstance(said, str) and said else "it was asked for"
