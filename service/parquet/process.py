"""A process that reads Parquet files, as the service sees it."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Self

import orjson

from ekiben.service.parquet.frames import END, FRAME, HEAD, LAST, LENGTH, MAX_PIECE_BYTES, Job

COMMAND = (sys.executable, "-S", "-P", "-m", "ekiben.service.parquet.reader")  # -S: PYTHONPATH says where everything is
# glibc keeps what it can't give back from the middle of its heap: large blocks are to be apart from it.
MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "1048576"}
SLACK_S = 1.0  # after the deadline the process ends by itself; before that the service ends it
MAX_FRAME_BYTES = 4 * MAX_PIECE_BYTES  # a table's names


class ReaderDied(Exception):
    """The process ended before it had said all."""


class ReaderProcess:
    """Reads one file at a time; belongs to one event loop. It ends by itself when this end of its socket closes."""

    def __init__(self, child: "subprocess.Popen[bytes]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._child = child
        self.pid = child.pid
        self._reader = reader
        self._writer = writer
        self._usable = True  # nothing is left unread of an answer

    @classmethod
    async def start(cls, job: Job) -> Self:
        """Start a process."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                child = _spawn(theirs.fileno())
            except OSError:
                ours.close()
                raise
        reader, writer = await asyncio.open_connection(sock=ours)
        content = orjson.dumps(asdict(job))
        writer.write(LENGTH.pack(len(content)) + content)
        return cls(child, reader, writer)

    @property
    def usable(self) -> bool:
        """Whether it can read another file."""
        return self._usable and not self._reader.at_eof() and self._child.poll() is None

    async def read(self, body: bytes, seconds: float) -> AsyncGenerator[tuple[int, bytes]]:
        """Yield the frames there are on a file; raise ReaderDied if the process ends before the last one."""
        self._usable = False
        try:
            self._writer.write(HEAD.pack(seconds + SLACK_S, len(body)))
            self._writer.write(body)
            while True:
                kind, length = FRAME.unpack(await self._reader.readexactly(FRAME.size))
                if kind in (END, LAST):
                    break
                if length > MAX_FRAME_BYTES:
                    raise ReaderDied
                yield kind, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            raise ReaderDied from None
        self._usable = kind == END

    def close(self) -> None:
        """End the process."""
        self._writer.transport.abort()
        if self._child.poll() is None:
            self._child.kill()
            asyncio.get_running_loop().run_in_executor(None, self._child.wait)


def _spawn(theirs: int) -> "subprocess.Popen[bytes]":
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        COMMAND, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=MEMORY | {"PYTHONPATH": path}
    )
