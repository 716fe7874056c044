"""What the process does that `bentoml serve` starts: it holds the HTTP port and replaces workers that die.

BentoML runs circus for that, which looks after its workers every 10 s. Meanwhile the kernel goes on accepting
connections that nobody will read. Here a worker's death is noticed at once.

In a container none is replaced: it ends, so that the orchestrator sees it, says so, and starts another one.
"""

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import time
from collections import deque
from pathlib import Path
from types import FrameType
from typing import Any

from bentoml._internal.utils import circus
from bentoml.exceptions import BentoMLException
from circus.process import DEAD_OR_ZOMBIE, UNEXISTING  # type: ignore[import-untyped]

from ekiben.service.lifecycle import lifeline
from ekiben.service.lifecycle.drain import SECOND_SIGNAL
from ekiben.service.lifecycle.endings import Endings

logger = logging.getLogger("bentoml.service")
RETRY_S = 0.1
NONE_LEFT = "No active process"  # as circus says it
AT_ONCE, WITHIN_S = 3, 60.0  # workers that die more often are replaced as circus looks after them: none may spin


class Supervisor(circus.Arbiter):
    """BentoML's arbiter, woken by SIGCHLD."""

    def __init__(self, watchers: list[Any], **named: Any) -> None:
        for watcher in watchers:
            watcher.hooks["after_reap"] = self.report_death
        self._replaces = all(watcher.respawn for watcher in watchers)  # which BentoML does but in a container
        self._endings = Endings()
        # Over BentoML's TCP ports any user of this machine could have circus run a command.
        folder = tempfile.mkdtemp(prefix="ekiben-")
        endpoints = {"endpoint": f"ipc://{folder}/control", "pubsub_endpoint": f"ipc://{folder}/events"}
        super().__init__(watchers, **{**named, **endpoints})
        self.exit_stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self._replaced_at = deque([-WITHIN_S] * AT_ONCE, maxlen=AT_ONCE)
        signal.signal(signal.SIGHUP, self.pass_on)
        signal.signal(signal.SIGCHLD, self.notice_child)

    def start(self, cb: Any = None) -> None:
        """Run until asked to stop; raise BentoMLException if there is no worker left."""
        try:
            super().start(cb)
        except RuntimeError as error:
            if NONE_LEFT not in str(error):
                raise
            self.exit_stack.close()
            raise BentoMLException("a worker ended: the log has how; start the service again") from None

    def stop(self) -> Any:
        """End the workers and then itself, at once if asked a second time.

        circus would forget to if it were just starting a worker.
        """
        if self._stopping:
            return self.kill_workers()
        if self._exclusive_running_command:
            return self.loop.call_later(RETRY_S, self.stop)
        lifeline.announce_stop()
        return super().stop()

    def report_death(self, watcher: Any, process_pid: int, exit_code: int, **_: Any) -> bool:
        """Log how a worker ended that was not asked to; circus calls this."""
        if not (self._stopping or watcher.is_stopping()):
            then = "another one starts" if self._replaces else "the service stops"
            logger.error("worker %d %s: %s", process_pid, self._endings.describe(exit_code), then)
        return True

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        """Let the workers have a signal too: who asks for a reload knows this process."""
        self.loop.add_callback_from_signal(self.signal_workers, number)

    def signal_workers(self, number: int) -> None:
        """Send a signal to every worker that is ready for it: it would end one that is just starting."""
        for process in [process for watcher in self.watchers for process in watcher.processes.values()]:
            if handles(process.pid, number):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)

    def notice_child(self, number: int, frame: FrameType | None) -> None:
        self.loop.add_callback_from_signal(self.replace_dead)

    def replace_dead(self) -> None:
        """Refuse connections while nobody reads them, and start workers for those that died."""
        processes = [process for watcher in self.watchers for process in watcher.processes.values()]
        dead = [process for process in processes if process.status in (DEAD_OR_ZOMBIE, UNEXISTING)]
        if not dead or self._stopping:
            return
        if self._exclusive_running_command:
            self.loop.call_later(RETRY_S, self.replace_dead)
            return
        if not self._replaces:
            self.end_with_worker()
            return
        if len(dead) == len(processes):
            self.refuse_connections()
        if time.monotonic() - self._replaced_at[0] >= WITHIN_S:
            self._replaced_at.append(time.monotonic())
            self.manage_watchers()

    def end_with_worker(self) -> None:
        """Stop because a worker died; others finish the requests they have."""
        self.reap_processes()
        self._exception = RuntimeError(NONE_LEFT)
        self.stop()

    def kill_workers(self) -> None:
        """End the workers whatever they are doing; what circus waits for then happens."""
        logger.warning(SECOND_SIGNAL)
        for process in [process for watcher in self.watchers for process in watcher.processes.values()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def refuse_connections(self) -> None:
        """Stop listening; the next worker listens on the same socket when it is ready."""
        for listener in self.sockets.values():
            # Shut a second time, it would stay shut whoever listens.
            if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                listener.shutdown(socket.SHUT_RDWR)


def handles(pid: int, number: int) -> bool:
    """Return whether a process has a handler for a signal, as Linux tells; elsewhere it is taken to have one."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return not Path("/proc/self/status").exists()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def supervise() -> None:
    """Have BentoML start the workers of this process this way."""
    lifeline.hold()
    replaced: Any = circus
    replaced.Arbiter = Supervisor
