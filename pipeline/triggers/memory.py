"""Where a watcher's memory lies: the state, the decisions, and two locks, in `data/pipeline` of the project."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from ekiben.model.home import DATA
from ekiben.pipeline.triggers.decisions import DecisionLog
from ekiben.pipeline.triggers.moment import Moment
from ekiben.pipeline.triggers.state import State
from ekiben.training.home import make_folder

ROOM, WATCH, DECISIONS = f"{DATA}/pipeline", "watch", "decisions"


class Memory:
    """What is remembered of one model; all watchers of a folder share it."""

    def __init__(self, model: str) -> None:
        """Make the folders; raise HomeUnwritable if that is impossible."""
        for name in (DATA, ROOM, f"{ROOM}/{WATCH}", f"{ROOM}/{DECISIONS}"):
            folder = make_folder(name)
        self.decisions = DecisionLog(folder.absolute(), model)
        watch = folder.absolute().parent / WATCH
        self._state, self._lock, self._run_lock = (watch / f"{model}.{end}" for end in ("json", "lock", "run.lock"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else decide, in this process or another."""
        with open(os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o644)) as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # the end of the process releases it too
            yield

    def take_run_lock(self) -> int | None:
        """Return the descriptor that holds the lock of a run, None if a run is on.

        A child inherits it, so the lock holds until both have closed it: who started the run, once it has noted how it
        ended, and the run itself, however the other died.
        """
        descriptor = os.open(self._run_lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def load(self, now: Moment) -> State:
        """Return the state in moments of this boot, which is kept.

        Where there is none, it begins now; where it is damaged, as if a run had just begun: a cool-down is cheap.
        """
        found: State | None = None
        try:
            found = State.model_validate_json(self._state.read_bytes())
            state = found.settle(now)
        except FileNotFoundError:
            state = State(since=now)
        except ValidationError:
            self._state.replace(self._state.with_suffix(".damaged"))
            state = State(since=now, starts=(now,))
        if state != found:
            self.save(state)
        return state

    def save(self, state: State) -> None:
        """Write the state, whole or not at all."""
        unfinished = self._state.with_suffix(".part")
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(state.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._state)


def find_decisions(model: str) -> DecisionLog:
    """Return a model's decisions, of a project that may have none."""
    from ekiben.training.home import find_data

    return DecisionLog(find_data() / Path(ROOM).name / DECISIONS, model)
