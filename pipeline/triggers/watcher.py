"""Decides about events, starts runs, and remembers both: the heart of `ekiben watch`, safe for several at once."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ekiben.contract.errors import UserError
from ekiben.pipeline.triggers.events.event import Event, redact_event
from ekiben.pipeline.triggers.looking.seen import Seen
from ekiben.pipeline.triggers.memory import Memory
from ekiben.pipeline.triggers.moment import Moment, read_now
from ekiben.pipeline.triggers.rules import Decision, choose, find_events, show_seconds
from ekiben.pipeline.triggers.run import GO, STOP, RunningChild, describe_code
from ekiben.pipeline.triggers.state import State
from ekiben.training.retrain_config import Retrain


class WrongModel(UserError):
    """An event is of a model that is not watched here."""


@dataclass
class Watcher:
    """Watches one model; `command` is what a run is, and gets the event."""

    model: str
    rules: Retrain
    memory: Memory
    command: Sequence[str]
    say: Callable[[str], None]
    clock: Callable[[], Moment] = read_now
    child: RunningChild | None = None
    _seen: Seen = field(default_factory=Seen)

    def offer(self, event: Event) -> Decision:
        """Decide about an event that came from elsewhere; raise WrongModel, or OSError if nothing can be noted."""
        if event.model != self.model:
            raise WrongModel(f"the event is of `{event.model}`, and `{self.model}` is watched here")
        clean = redact_event(event)
        return self._deliberate(lambda state, now, running: choose(self.rules, state, [clean], now, running))

    def consider(self, seen: Seen) -> Decision:
        """Decide about what a look found; raise OSError if nothing can be noted."""
        self._seen = seen

        def decide(state: State, now: Moment, running: bool) -> Decision:
            events = map(redact_event, find_events(self.rules, state, seen, self.model, now))
            return choose(self.rules, state, list(events), now, running)

        return self._deliberate(decide, seen)

    def _deliberate(self, decide: Callable[[State, Moment, bool], Decision], seen: Seen | None = None) -> Decision:
        """Decide and act under the lock, so that of all watchers of a folder one starts a run."""
        with self.memory.locked():
            now = self.clock()
            lock = self.memory.take_run_lock()
            try:
                before = self.memory.load(now)
                state = before if lock is None else self._note_lost_run(before, now)
                state = state.count(seen.rows, seen.labels) if seen else state
                decision = decide(state, now, lock is None)
                if decision.train and lock is not None:
                    if self._begin(state, decision, now, lock):
                        lock = None
                else:
                    self._note(decision, state, now, before)
                return decision
            finally:
                if lock is not None:
                    os.close(lock)

    def _begin(self, state: State, decision: Decision, now: Moment, lock: int) -> bool:
        """Start a run; return whether it has the lock now."""
        event = decision.event
        assert event is not None
        begun = state.begin(event, now, self._seen.rows, self._seen.labels)
        self.memory.save(begun)  # first: a run that is not remembered would be started again
        self.memory.decisions.add(decision, now, state.last, self._seen.describe())
        self.say(decision.sentence)
        try:
            self.child = RunningChild(self.command, event, lock, lambda code: self._end(event, code, now))
        except OSError as error:
            self.memory.save(begun.end(done=False))
            self._say_end(event, f"{self.command[0]} can't be started ({error.strerror})", None, now)
            return False
        return True

    def _note(self, decision: Decision, state: State, now: Moment, before: State) -> None:
        if state != before:
            self.memory.save(state)
        seen = self._seen.describe() if decision.kind == "nothing" else {}
        if self.memory.decisions.add(decision, now, state.last, seen):
            self.say(decision.sentence)

    def _note_lost_run(self, state: State, now: Moment) -> State:
        """Return the state without a run whose end nobody saw: who had started it was killed."""
        if state.running is None:
            return state
        self._say_end(state.running.event, "an end that no watcher saw", None, now)
        return state.end(done=False)

    def _end(self, event: Event, code: int, began: Moment) -> None:
        try:
            with self.memory.locked():
                now = self.clock()
                state = self.memory.load(now)
                self.memory.save(state.end(done=code in (GO, STOP)))
                lasted = show_seconds(now.since(began))
                self._say_end(event, f"{describe_code(code)}, after {lasted}", code, now)
        except OSError as error:  # then the next decision finds a run whose end nobody saw
            self.say(f"how the run for {event.reason} ended ({describe_code(code)}) can't be noted: {error.strerror}")

    def _say_end(self, event: Event, how: str, code: int | None, now: Moment) -> None:
        sentence = f"the run for {event.reason} ended: {how}"
        self.memory.decisions.add_end(sentence, event.id, code, now)
        self.say(sentence)
