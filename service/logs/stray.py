"""What a process prints past `logging`: BentoML's last sentence, TensorFlow's and LiteRT's C++, a child process.

Both its standard streams lead into a pipe, which a thread of it reads line by line.
"""

import os
import re
import sys
import threading
from collections.abc import Callable

LOGGER = "output"  # of lines that came from no logger
MAX_WAITING_BYTES = 16_000  # of a line that does not end
LEAVING_S = 1.0  # for what was printed last
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PREFIX = re.compile(r"(?:error|fatal): (?=\S)", re.IGNORECASE)
_LEVELS = (
    ("error", re.compile(r"error: |fatal|traceback|[EF]\d{4} |\S+ \S+ [EF] |\S+ \S+: [EF] ", re.IGNORECASE)),
    ("warning", re.compile(r"warning|W\d{4} |\S+ \S+: W |\S+:\d+: \w*Warning", re.IGNORECASE)),
)
Write = Callable[[str, str, str], None]  # of a level, a logger and a message


def read_stray(raw: bytes) -> tuple[str, str]:
    """Return the level and the message of a line; no message if there is nothing in it."""
    text = _ANSI.sub("", raw.decode("utf-8", "replace")).strip()
    level = next((level for level, pattern in _LEVELS if pattern.match(text)), "info")
    return level, _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text


class StrayReader:
    """The pipe that the standard streams of this process lead into, and the thread that reads it."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._streams = os.dup(1), os.dup(2)
        self._end, ours = os.pipe()
        self._last = b"\0ekiben %d\0" % os.getpid()  # nothing that a program prints
        self._ended = threading.Event()
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        for number in (1, 2):
            os.dup2(ours, number)
        os.close(ours)
        threading.Thread(target=self._read, name="log", daemon=True).start()

    def close(self) -> None:
        """Write what was printed last, and give the streams back."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.write(2, self._last + b"\n")
        self._ended.wait(LEAVING_S)
        for number, stream in zip((1, 2), self._streams, strict=True):
            os.dup2(stream, number)

    def _read(self) -> None:
        waiting = b""
        while not self._ended.is_set():
            waiting += os.read(self._end, 65_536)
            *lines, waiting = waiting.split(b"\n")
            for line in lines:
                self._take(line)
            if len(waiting) > MAX_WAITING_BYTES:
                self._take(waiting)
                waiting = b""

    def _take(self, line: bytes) -> None:
        level, message = read_stray(line.replace(self._last, b""))
        if message:
            self._write(level, LOGGER, message)
        if self._last in line:  # only now: the process ends
            self._ended.set()
