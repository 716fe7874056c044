"""One run as a child process, in a process group of its own, so that it ends as a whole."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence

from ekiben.pipeline.triggers.events.event import Event

TOKEN = "WATCH_TOKEN"  # the watcher's, which is nobody else's business
GO, ERROR, STOP, INTERRUPTED = 0, 1, 3, 130  # exit codes of `ekiben run`
VERDICTS = {GO: "go", STOP: "stop: a gate said no", INTERRUPTED: "interrupted"}
PATIENCE_S = 10.0  # after SIGTERM


class RunningChild:
    """A command that was given an event."""

    def __init__(self, command: Sequence[str], event: Event, lock: int, ended: Callable[[int], None]) -> None:
        """Start it with the descriptor of the run's lock; raise OSError if that is impossible.

        `ended` gets its exit code, in a thread, and then the lock is given back.
        """
        environment = {name: value for name, value in os.environ.items() if name != TOKEN}
        self._process = subprocess.Popen(
            [*command, "--event", event.to_json()],
            stdin=subprocess.DEVNULL, env=environment, start_new_session=True, pass_fds=(lock,),
        )  # fmt: skip
        self._waiting = threading.Thread(target=self._wait, args=(lock, ended), daemon=True)
        self._waiting.start()

    def wait(self) -> int:
        """Return its exit code, once its end is noted."""
        self._waiting.join()
        return self._process.returncode

    def stop(self) -> None:
        """End the whole group, and wait until its end is noted."""
        self._send(signal.SIGTERM)
        self._waiting.join(PATIENCE_S)
        self._send(signal.SIGKILL)
        self._waiting.join()

    def _send(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def _wait(self, lock: int, ended: Callable[[int], None]) -> None:
        try:
            ended(self._process.wait())
        finally:
            os.close(lock)


def describe_code(code: int) -> str:
    """Return how a run ended, by its exit code."""
    return VERDICTS.get(code) or (f"ended by signal {-code}" if code < 0 else f"error (exit code {code})")
