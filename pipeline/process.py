"""Which process of which machine holds something, and whether it can be seen from here that it is gone."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
NAMESPACE = "/proc/self/ns/pid"  # two containers may have one name and count their processes from 1


@dataclass(frozen=True)
class Process:
    """A process by its number, and the machine, since its start, on which that number means something."""

    host: str = ""
    machine: str = ""
    number: int = 0

    def __str__(self) -> str:
        return f"{self.host}/{self.machine}/{self.number}"

    @classmethod
    def parse(cls, text: str) -> "Process":
        """Return what a string says, nobody if it says nothing."""
        host, _, rest = text.partition("/")
        machine, _, number = rest.partition("/")
        return cls(host, machine, int(number)) if number.isdigit() else cls()

    def is_gone(self) -> bool:
        """Return whether it ran here and does no more; of another machine's that can't be seen."""
        if not self.number or (self.host, self.machine) != (find_process().host, find_process().machine):
            return False
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def find_process() -> Process:
    """Return this process."""
    return Process(socket.gethostname(), _name_machine(), os.getpid())


def _name_machine() -> str:
    try:
        return f"{BOOT.read_text().strip()[:8]}-{os.readlink(NAMESPACE).strip('pid:[]')}"
    except OSError:
        return "unknown"
