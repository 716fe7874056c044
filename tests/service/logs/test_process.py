"""A process that logs in JSON: whatever it prints, and however, becomes an object."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from ekiben.service.logs.stray import read_stray
from tests.conftest import ROOT

BEGIN = "from ekiben.service.logs.process import begin_log; begin_log()\n"


def run(code: str, **environment: str) -> list[dict[str, Any]]:
    """Return the lines of a process that begins its log and then runs code."""
    given = os.environ | {"LOG_FORMAT": "json"} | environment
    done = subprocess.run([sys.executable, "-c", BEGIN + code], cwd=ROOT, env=given, capture_output=True, check=False)
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_whatever_a_process_prints_is_an_object_a_line() -> None:
    code = r"""
import os, subprocess, sys, warnings
print("printed")
print("to stderr", file=sys.stderr)
os.write(2, b"W0000 00:00:1.5 1 of C++ \xff\x1b[31m\n")
subprocess.run(["sh", "-c", "echo a child >&2"])
sys.exit("error: it can't start")
"""
    lines = run(code)
    said = [(line["level"], line["message"]) for line in lines]
    assert sorted(said) == sorted(
        [
            ("info", "printed"),
            ("info", "to stderr"),
            ("warning", "W0000 00:00:1.5 1 of C++ \ufffd"),
            ("info", "a child"),
            ("error", "it can't start"),
        ]
    )


def test_a_last_line_without_an_end_is_not_lost() -> None:
    (line,) = run("import sys; sys.stdout.write('without an end')")
    assert line["message"] == "without an end"


def test_an_uncaught_exception_is_one_object() -> None:
    (line,) = run("def f(): raise ValueError('no\\nfile')\nf()")
    assert (line["level"], line["error"]) == ("critical", "ValueError")
    assert line["message"] == "the process ends: ValueError: no\nfile"
    assert "in f" in line["stack"]


def test_a_thread_that_fails_is_one_object() -> None:
    (line,) = run("import threading\nthreading.Thread(target=lambda: 1 / 0, name='t').start()")
    assert (line["level"], line["message"]) == ("error", "thread t ends: ZeroDivisionError")


def test_the_level_holds_for_what_is_printed() -> None:
    assert run("print('printed'); print('error: wrong')", LOG_LEVEL="error")[0]["message"] == "wrong"


def test_text_stays_as_it_is() -> None:
    with pytest.raises(json.JSONDecodeError):
        run("print('printed')", LOG_FORMAT="text")


@pytest.mark.parametrize(
    ("raw", "level", "message"),
    [
        (b"\x1b[31mError: [cli] `serve` failed: no model\x1b[0m", "error", "[cli] `serve` failed: no model"),
        (b"2026-11-28 05:06:07.123456: W tensorflow/core/x.cc:1] slow", "warning", None),
        (b"2026-11-28 05:06:07.123456: E external/xla/x.cc:1] no GPU", "error", None),
        (b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", "info", None),
        (b"WARNING: All log messages before absl::InitializeLog()", "warning", None),
        (b"file.py:1: RuntimeWarning: divide by zero", "warning", None),
        (b"   ", "info", ""),
    ],
)
def test_a_printed_line_has_its_level(raw: bytes, level: str, message: str | None) -> None:
    assert read_stray(raw) == (level, raw.decode() if message is None else message)
