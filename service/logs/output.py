"""Where lines of JSON go: one file descriptor for the supervisor and its workers, which never mix their lines."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

VARIABLES = "EKIBEN_LOG_OUTPUT", "EKIBEN_LOG_LOCK"  # file descriptors that workers inherit


class Output:
    """Writes whole lines; a pipe keeps only those together that have up to 4 KB."""

    def __init__(self, descriptor: int, lock: int) -> None:
        """`lock`: a file that every process locks, -1 for none."""
        self._descriptor, self._lock = descriptor, lock
        self._threads = threading.Lock()

    def write(self, line: bytes) -> None:
        """Write a line; nothing happens if nobody reads any more."""
        with suppress(OSError), self._threads, self._locked():
            while line:
                line = line[os.write(self._descriptor, line) :]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._lock < 0:
            yield
            return
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def hand_down(self) -> None:
        """Let the processes that this one starts write here too."""
        for name, descriptor in zip(VARIABLES, (self._descriptor, self._lock), strict=True):
            if descriptor >= 0:
                os.set_inheritable(descriptor, True)
            os.environ[name] = str(descriptor)


def inherit_output() -> Output:
    """Return the supervisor's output."""
    descriptor, lock = (int(os.environ[name]) for name in VARIABLES)
    return Output(descriptor, lock)


def duplicate_output() -> Output:
    """Return an output to where this process prints now."""
    lock = os.memfd_create("ekiben-log") if hasattr(os, "memfd_create") else -1
    return Output(os.dup(1), lock)
