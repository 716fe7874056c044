"""The rules as tables: what asks, what holds it back, and clocks that jump."""

from datetime import timedelta
from typing import Any

import pytest

from ekiben.pipeline.triggers.events.event import Event
from ekiben.pipeline.triggers.looking.seen import Alarm, LiveScore, Seen
from ekiben.pipeline.triggers.moment import Moment, read_now
from ekiben.pipeline.triggers.rules import Kind, choose, decide, find_events, show_seconds
from ekiben.pipeline.triggers.state import State
from ekiben.training.retrain_config import Retrain, ScoreBound
from tests.pipeline.triggers.recorded_runs import Clock, make_event

HOUR, DAY = 3600.0, 86_400.0
ALARM = Alarm("3", "2026-11-26", ("heat", "kind"), ("heat: …", "kind: …"))


def make_rules(**rules: Any) -> Retrain:
    return Retrain.model_validate({"cooldown": "1h", "runs_a_day": 3, **rules})


def make_score(low: float, high: float) -> LiveScore:
    return LiveScore("auc", (low + high) / 2, low, high, 500, "3", "2026-11-26T00:00:00+00:00")


def ask(rules: Retrain, state: State, seen: Seen, now: Moment) -> list[Event]:
    return list(find_events(rules, state.count(seen.rows, seen.labels), seen, "shop", now))


def start_runs(state: State, clock: Clock, ages: list[float], done: bool = True) -> State:
    """Return the state after runs that began so many seconds ago, the oldest first."""
    for index, age in enumerate(ages):
        past = clock()
        began = past.model_copy(update={"steady_s": past.steady_s - age, "wall": past.wall - timedelta(seconds=age)})
        state = state.begin(make_event(index), began, None, None).end(done)
    return state


@pytest.mark.parametrize(
    ("rules", "seen", "reasons"),
    [
        ({"new_rows": 100}, Seen(rows=1099), []),
        ({"new_rows": 100}, Seen(rows=1100), ["new rows"]),
        ({"new_rows": 100}, Seen(rows=None, troubles=("gone",)), []),
        ({"new_rows": 100}, Seen(rows=5), []),
        ({"new_labels": 10}, Seen(labels=509), []),
        ({"new_labels": 10}, Seen(labels=510), ["new labels"]),
        ({"drift": True}, Seen(), []),
        ({"drift": True}, Seen(alarms=(ALARM,)), ["drift"]),
        ({"drift": False}, Seen(alarms=(ALARM,)), []),
        ({"score": {"metric": "auc", "below": 0.65}}, Seen(score=make_score(0.60, 0.64)), ["score"]),
        ({"score": {"metric": "auc", "below": 0.65}}, Seen(score=make_score(0.55, 0.66)), []),
        ({"score": {"metric": "auc", "below": 0.65}}, Seen(score=make_score(0.70, 0.80)), []),
        ({"score": {"metric": "auc", "below": 0.65}}, Seen(), []),
        ({"score": {"metric": "auc", "above": 0.65}}, Seen(score=make_score(0.66, 0.80)), ["score"]),
        ({"score": {"metric": "auc", "above": 0.65}}, Seen(score=make_score(0.64, 0.80)), []),
        ({"score": {"metric": "auc", "below": 0.65}}, Seen(score=make_score(float("nan"), float("nan"))), []),
        (
            {"drift": True, "new_rows": 1, "new_labels": 1},
            Seen((ALARM,), 2000, 900),
            ["drift", "new labels", "new rows"],
        ),
    ],
)
def test_what_asks_for_a_training(rules: dict[str, Any], seen: Seen, reasons: list[str]) -> None:
    now = Clock()()
    state = State(since=now, rows=1000, labels=500)
    events = ask(make_rules(**rules), state, seen, now)
    assert [event.reason for event in events] == reasons
    assert all(event.evidence["sentence"] for event in events)


def test_the_first_look_only_counts() -> None:
    now = Clock()()
    seen = Seen(rows=10_000, labels=9)
    assert ask(make_rules(new_rows=1, new_labels=1), State(since=now), seen, now) == []
    assert State(since=now).count(10_000, 9) == State(since=now, rows=10_000, labels=9)


def test_rows_that_were_taken_away_do_not_count_twice() -> None:
    rules, now = make_rules(new_rows=100), Clock()()
    state = State(since=now, rows=1000).count(400, None)
    assert ask(rules, state, Seen(rows=499), now) == []
    assert [event.evidence["new"] for event in ask(rules, state, Seen(rows=520), now)] == [120]


@pytest.mark.parametrize(("age", "asks"), [(6.9 * DAY, False), (7 * DAY, True), (80 * DAY, True)])
def test_a_schedule_counts_from_the_last_run(age: float, asks: bool) -> None:
    clock = Clock()
    clock.run(100 * DAY)
    state = start_runs(State(since=Clock()()), clock, [90 * DAY, age])
    assert [one.reason for one in ask(make_rules(schedule="7d"), state, Seen(), clock())] == ["schedule"] * asks


@pytest.mark.parametrize(
    ("ages", "running", "kind"),
    [
        ([], False, "train"),
        ([], True, "running"),
        ([HOUR - 1], False, "cooling down"),
        ([HOUR], False, "train"),
        ([3 * HOUR, 2 * HOUR, HOUR + 1], False, "budget"),
        ([DAY, 2 * HOUR, HOUR + 1], False, "train"),
        ([DAY - 1, 2 * HOUR, HOUR + 1], False, "budget"),
    ],
)
def test_what_holds_a_training_back(ages: list[float], running: bool, kind: Kind) -> None:
    clock = Clock()
    clock.run(10 * DAY)
    state = start_runs(State(since=Clock()()), clock, ages)
    decision = decide(make_rules(), state, make_event(99), clock(), running)
    assert (decision.kind, decision.train) == (kind, kind == "train")


def test_evidence_that_a_run_has_answered_asks_no_more() -> None:
    clock = Clock()
    state = start_runs(State(since=clock()), clock, [HOUR * 2])
    assert decide(make_rules(), state, make_event(0), clock(), False).kind == "answered"
    assert decide(make_rules(), state, make_event(1), clock(), False).kind == "train"


def test_what_a_failed_run_was_to_answer_asks_again() -> None:
    clock = Clock()
    state = start_runs(State(since=clock(), rows=1), clock, [HOUR * 2], done=False)
    assert decide(make_rules(), state, make_event(0), clock(), False).kind == "train"


def test_the_same_call_is_answered_once_and_another_without_evidence_is_another() -> None:
    clock = Clock()
    first, second = (make_event(reason="manual", evidence={}, id=name) for name in ("a", "b"))
    state = State(since=clock()).begin(first, clock(), None, None).end(True)
    now = clock.run(2 * HOUR)
    assert [decide(make_rules(), state, one, now, False).kind for one in (first, second)] == ["answered", "train"]


def test_the_first_event_that_may_trains_and_else_the_first_is_told() -> None:
    clock = Clock()
    state = start_runs(State(since=clock()), clock, [HOUR * 2])
    chosen = choose(make_rules(), state, [make_event(0), make_event(7)], clock(), False)
    assert (chosen.train, chosen.event and chosen.event.evidence) == (True, {"number": 7})
    told = choose(make_rules(), state, [make_event(0), make_event(7)], clock(), True)
    assert (told.kind, told.event and told.event.evidence) == ("running", {"number": 0})
    assert choose(make_rules(), state, [], clock(), False).kind == "nothing"


def count_runs(rules: Retrain, clock: Clock, steps: list[float], every_s: float = 300.0) -> int:
    """Return how many runs an always present alarm starts, with the wall clock jumping so many days between looks."""
    state, runs = State(since=clock()), 0
    for number, days in enumerate(steps):
        clock.jump(days)
        now = clock.run(every_s)
        state = state.settle(now)
        if decide(rules, state, make_event(number), now, False).train:
            state, runs = state.begin(make_event(number), now, None, None).end(True), runs + 1
    return runs


YEARS = 365.25 * 20


@pytest.mark.parametrize(
    "steps",
    [
        [0.0] * 288,
        [YEARS, *[0.0] * 287],
        [-YEARS, *[0.0] * 287],
        [0.0] * 100 + [YEARS] + [0.0] * 87 + [-2 * YEARS] + [0.0] * 99,
        [YEARS, -YEARS] * 144,
    ],
)
def test_a_wall_clock_that_jumps_neither_storms_nor_silences(steps: list[float]) -> None:
    assert count_runs(make_rules(runs_a_day=5), Clock(), steps) == 5
    assert count_runs(make_rules(runs_a_day=1000), Clock(), steps) == 24


@pytest.mark.parametrize("days", [YEARS, -YEARS])
def test_a_clock_that_was_wrong_before_a_restart_costs_one_cool_down(days: float) -> None:
    clock = Clock()
    state = State(since=clock()).begin(make_event(0), clock.jump(days), None, None).end(True)
    clock.jump(-days)
    state = state.settle(clock.restart())
    first = decide(make_rules(), state, make_event(1), clock.run(60), False)
    assert first.train == (days < 0)
    assert decide(make_rules(), state.settle(clock()), make_event(1), clock.run(HOUR), False).train


def test_a_schedule_from_the_future_is_due_one_period_after_the_restart() -> None:
    clock = Clock()
    state = State(since=clock.jump(YEARS))
    clock.jump(-YEARS)
    state = state.settle(clock.restart())
    assert ask(make_rules(schedule="7d"), state, Seen(), clock.run(6 * DAY)) == []
    assert [one.reason for one in ask(make_rules(schedule="7d"), state, Seen(), clock.run(DAY))] == ["schedule"]


def test_the_present_runs_on() -> None:
    earlier = read_now()
    now = read_now()
    assert (now.boot, now.since(earlier) >= 0, earlier.since(now)) == (earlier.boot, True, 0.0)


def test_the_state_stays_small() -> None:
    clock = Clock()
    state = State(since=clock())
    for number in range(2000):
        state = state.begin(make_event(number), clock.run(HOUR), 1, 1).end(True).settle(clock())
    assert len(state.starts) <= 25
    assert len(state.model_dump_json()) < 64 * 1024
    assert State.model_validate_json(state.model_dump_json()) == state


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "1 s"), (59, "59 s"), (90, "1.5 min"), (HOUR, "1 h"), (7 * DAY, "7 d")]
)
def test_durations_for_people(seconds: float, shown: str) -> None:
    assert show_seconds(seconds) == shown


def test_a_strangers_sentence_makes_no_line_and_no_colour() -> None:
    event = make_event(evidence={"sentence": "x\n\x1b[31m" + "y" * 5000})
    sentence = decide(make_rules(), State(since=Clock()()), event, Clock()(), False).sentence
    assert sentence.isprintable()
    assert len(sentence) < 400


def test_a_bound_has_one_side() -> None:
    assert make_score(0.1, 0.2).describe(ScoreBound(metric="auc", below=0.5))["sentence"] == (
        "the live auc is 0.15 (0.1 to 0.2), below 0.5"
    )
