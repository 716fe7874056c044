"""Standard streams of any terminal: what it can't show is spelled, what can't be written is one sentence."""

import codecs
import io
import os
import sys
from typing import Any, TextIO

from ekiben.contract.errors import UserError

SPELLED = {"…": "...", "→": "->", "←": "<-", "±": "+-", "×": "x", "≤": "<=", "≥": ">=", "−": "-", "–": "-", "█": "#"}
HANDLER = "ekiben.spelled"


class OutputFailed(UserError):
    """Standard output can't be written to."""


class _Output(io.FileIO):
    """Standard output, whose disk may be full; that a pipe has no reader any more is no failure."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputFailed(f"standard output can't be written: {error.strerror}") from None


class _Errors(io.FileIO):
    """Standard error: where it can't be written, nobody can be told."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def restart_in_utf8() -> None:
    """Start this process again in Python's UTF-8 mode if it takes the names of files to be in another encoding.

    As with LC_ALL=C, where MLflow, Arrow and the table's own names would not fit. Its terminal's encoding stays.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.environ["PYTHONUTF8"] = "1"
    if sys.stdout is not None:
        os.environ.setdefault("PYTHONIOENCODING", sys.stdout.encoding)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def prepare_streams() -> None:
    """Put streams that hold in place of the standard ones; one that is closed becomes /dev/null."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # or the next file that is opened, such as MLflow's database, would be this stream
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    codecs.register_error(HANDLER, spell)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = _replace(sys.stdout, _Output(1, "wb", closefd=False))
    sys.stderr = _replace(sys.stderr, _Errors(2, "wb", closefd=False))


def spell(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that an encoding has not: signs in ASCII's way, letters as escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    spelled = (SPELLED.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in found)
    return "".join(spelled), error.end


def discard_output() -> None:
    """Let what is still to be written to standard output be flushed to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _replace(stream: TextIO | None, raw: io.FileIO) -> TextIO:
    unbuffered = isinstance(stream, io.TextIOWrapper) and stream.write_through  # as with PYTHONUNBUFFERED
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding if stream else "utf-8",
        errors=HANDLER,
        line_buffering=raw.isatty() or raw.fileno() == 2,
        write_through=unbuffered,
    )
