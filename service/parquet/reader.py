"""The process that reads Parquet files, one after the other: `python -m ekiben.service.parquet.reader`.

arro3 ends the process that reads certain damaged files (0.9: a panic in Rust that can't unwind), and a
page may unpack to more than it says: neither may happen to the service. Nothing heavy is imported here, so
that the process starts in 30 ms and takes 27 MiB. It ends when its input does, when a file takes longer
than it may, and when it has grown.
"""

import contextlib
import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import orjson

from ekiben.service.parquet.footer import FileRejected
from ekiben.service.parquet.frames import END, FAULT, FRAME, HEAD, LAST, LENGTH, PIECE, TABLE, Job
from ekiben.service.parquet.pieces import read_pieces
from ekiben.service.parquet.table import check_size, open_table
from ekiben.service.parquet.thrift import MAX_STRUCTS, TooLarge

INPUT, OUTPUT = 0, 1
NICENESS = 5  # the event loop goes first
GROWTH_BYTES = 16 * 2**20  # a process that has grown by more is not kept
# As JSON 20,000 flights are 85 times their file, and as many equal ones 400 times.
FREE_BYTES, MAX_RATIO = 2**20, 1000
DAMAGED = "the Parquet body can't be read: it is damaged or too large once unpacked"


def main() -> None:
    """Answer every file on the socket that is standard input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # at a terminal it is meant for the service, which is still draining
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        job = Job(**json.loads(receive(LENGTH.unpack(receive(LENGTH.size))[0])))
        limit(job.memory_bytes)
        resident = count_pages()[1]
        kept = True
        while kept:
            seconds, length = HEAD.unpack(receive(HEAD.size))
            signal.setitimer(signal.ITIMER_REAL, seconds)  # nobody handles its signal: it ends the process
            kept = answer(receive(length), job)
            signal.setitimer(signal.ITIMER_REAL, 0)
            kept = kept and count_pages()[1] - resident < GROWTH_BYTES // resource.getpagesize()
            send(END if kept else LAST)


def limit(memory_bytes: int) -> None:
    """Let this process grow by so much memory, leave no core, and let others go first."""
    os.nice(NICENESS)
    total = count_pages()[0] * resource.getpagesize() + memory_bytes
    for kind, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, total)):
        with contextlib.suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(kind, (value, value))


def count_pages() -> tuple[int, int]:
    """Return how many pages this process has reserved, and how many are in memory; 0 where nothing counts them."""
    try:
        reserved, resident, *_ = Path("/proc/self/statm").read_text().split()
    except OSError:
        return 0, 0
    return int(reserved), int(resident)


def answer(body: bytearray, job: Job) -> bool:
    """Send what there is to say of a file; return whether the process can go on."""
    try:
        for kind, content in read(body, job):
            send(kind, content)
    except OSError:
        raise
    except FileRejected as error:
        send_fault(error.status, str(error))
    except TooLarge:
        send_fault(413, f"the Parquet file's footer has more than {MAX_STRUCTS} parts: send fewer columns and groups")
    except MemoryError:
        send_fault(400, DAMAGED)
        return False
    except BaseException:  # a wrong file's IndexError or KeyError, and Rust's panics, which are no Exception
        send_fault(400, DAMAGED)
    return True


def read(body: bytearray, job: Job) -> Iterator[tuple[int, bytes]]:
    """Yield the frames of a file that can be read."""
    max_bytes = min(job.max_bytes, FREE_BYTES + MAX_RATIO * len(body))
    features = frozenset(job.features)
    table = open_table(body, features, features.difference(job.optional), job.max_rows, max_bytes)
    pieces, size = [], 0
    for piece in read_pieces(body, table):
        size += len(piece)
        check_size(size, max_bytes)
        pieces.append(piece)
    # Only now: of a file that is too large the service would parse the rows before.
    yield TABLE, orjson.dumps({"rows": table.rows, "names": table.names, "ignored": table.ignored})
    for piece in pieces:
        yield PIECE, piece


def receive(length: int) -> bytearray:
    """Return the next bytes of the input; raise EOFError if it ends before them."""
    content = bytearray(length)
    view = memoryview(content)
    while view:
        received = os.readv(INPUT, [view])
        if not received:
            raise EOFError
        view = view[received:]
    return content


def send(kind: int, content: bytes = b"") -> None:
    """Write a frame."""
    view = memoryview(FRAME.pack(kind, len(content)) + content)
    while view:
        view = view[os.write(OUTPUT, view) :]


def send_fault(status: int, message: str) -> None:
    """Write why a file is not read."""
    send(FAULT, orjson.dumps({"status": status, "message": message}))


if __name__ == "__main__":
    main()
