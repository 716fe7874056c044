"""The boundary of a command: what is one sentence and exit code 2, and what is a bug."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ekiben.contract.errors import UserError
from ekiben.training.home import find_data
from ekiben.training.process import BUG, INTERRUPTED, READER_GONE, report_errors
from ekiben.training.refusals import explain, find_full_disks
from tests.conftest import PATIENCE_S, ROOT, wait_until

Capture = pytest.CaptureFixture[str]


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("no such table"), "no such table"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "/x/y: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", b"/x"), "/x: Read-only file system"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "/x: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device: make room on the disk"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/x']"),
            "no folder for temporary files can be written to: set TMPDIR to one that can",
        ),
        (MemoryError(), "there is not enough memory: use a table with fewer rows or columns, or a machine with more"),
        (FileNotFoundError(errno.ENOENT, "No such file", str(find_data() / "x")), f"{find_data() / 'x'}: No such file"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "http://u:hunter2@h"),
            "http://…@h: No such file",
        ),
    ],
)
def test_what_the_machine_refuses_is_one_sentence(
    error: Exception, sentence: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://u:hunter2@h")
    assert report_errors(raising(error)) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {sentence}")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    "error",
    [
        *(KeyError("x"), OSError("no number"), AssertionError(), FileNotFoundError(errno.ENOENT, "No such file")),
        FileNotFoundError(errno.ENOENT, "No such file", str(ROOT / "service" / "gone.html")),
    ],
)
def test_a_bug_is_none(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["ekiben", "train"])
    with pytest.raises(type(error)):
        report_errors(raising(error))


def test_an_interrupt_has_its_exit_code(capsys: Capture) -> None:
    assert report_errors(raising(KeyboardInterrupt()), "stopped") == INTERRUPTED
    assert capsys.readouterr().err == "stopped\n"


def test_the_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    monkeypatch.setattr(
        "shutil.disk_usage", lambda folder: os.times_result and _Usage(1 if folder == tmp_path else 1e9)
    )
    assert find_full_disks() == [str(tmp_path)]


class _Usage:
    def __init__(self, free: float) -> None:
        self.free = free


def test_the_first_of_many_failures_is_said(tmp_path: Path) -> None:
    import shutil

    many = shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'"), ("c", "d", "[Errno 13] no")])
    assert explain(many) == "No space left on device"
    assert explain(OSError(errno.EROFS, "Read-only file system")) == "Read-only file system"


def start(code: str, **pipes: int) -> "subprocess.Popen[str]":
    head = "import os, sys, time\nfrom ekiben.training.process import run_process\n"
    return subprocess.Popen(
        [sys.executable, "-u", "-c", f"{head}{code}\nsys.exit(run_process(main, []))"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_traceback_is_of_a_bug_only() -> None:
    process = start("def main(): return {}['x']")
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == BUG
    assert "KeyError: 'x'" in errors


def test_a_second_interrupt_does_not_wait() -> None:
    hold = "def main():\n  try:\n    print(1); time.sleep(60)\n  finally:\n    print(2); time.sleep(60)\n"
    process = start(hold)
    assert process.stdout
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "2\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (INTERRUPTED, "")


def test_a_reader_that_left_is_no_error() -> None:
    process = start("def main():\n  print(1)\n  while True: print(2)")
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    wait_until(lambda: process.poll() is not None)
    assert process.returncode == READER_GONE


def test_a_working_folder_that_is_gone(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tempfile.mkdtemp()
    monkeypatch.chdir(folder)
    assert report_errors(lambda: 0) == 0
    os.rmdir(folder)
    assert report_errors(lambda: 0) == 2
    assert capsys.readouterr().err == "error: the working folder is gone: change to one that is there\n"
