"""Says how a worker ended, and whether it was for memory, which is why the kernel kills most often."""

import signal

from ekiben.service.lifecycle.resource_limits import MIB, read_limits, read_oom_kills


class Endings:
    """Tells the kernel's kills for memory from others by counting on from where the cgroup's count stood."""

    def __init__(self) -> None:
        self._oom_kills = read_oom_kills()

    def describe(self, exit_code: int) -> str:
        """Return how a process ended that has just done so."""
        if exit_code >= 0:
            return f"ended with exit code {exit_code}"
        said = f"was killed by signal {-exit_code}{name_signal(-exit_code)}"
        if -exit_code != signal.SIGKILL:
            return said
        before, self._oom_kills = self._oom_kills, read_oom_kills()
        return f"{said}, {blame(before, self._oom_kills, read_limits().memory_bytes)}"


def name_signal(number: int) -> str:
    """Return a signal's name in brackets, "" for most of the real-time ones, which have none."""
    return f" ({signal.Signals(number).name})" if number in set(signal.Signals) else ""


def blame(kills_before: int | None, kills: int | None, limit_bytes: int | None) -> str:
    """Return why, as far as the cgroup's counts of such kills tell."""
    limit = f"its limit is {limit_bytes // MIB} MiB" if limit_bytes else "it has no limit of its own"
    if kills_before is None or kills is None:
        return f"most often for memory ({limit})"
    if kills > kills_before:
        return f"for memory ({limit})"
    return f"not for memory ({limit}): the kernel counts no such kill here, so somebody sent it"
