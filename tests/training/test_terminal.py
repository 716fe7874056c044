"""The commands' streams: any encoding, full disks, closed ones; each process here imports nothing heavy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ekiben.training.terminal import spell
from tests.conftest import ROOT

SHOW = (
    "import sys; from ekiben.training.process import run_process\n"
    "def main():\n  print('loading \\u2026', '\\xe9 \\u0634\\u0647\\u0631', sep='\\n')\n"
    "  sys.stderr.write('100%\\u2588 \\u2192 \\u0634\\u0647\\u0631'); return 0\n"
    "sys.exit(run_process(main, []))"
)
OLD = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


def python(code: str, redirected: str = "", **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run code with its streams as a shell redirects them."""
    command = f'exec "{sys.executable}" -c "$CODE" {redirected}'
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=os.environ | environment | {"CODE": code}, capture_output=True, timeout=60
    )


@pytest.mark.parametrize(
    ("environment", "printed", "errors"),
    [
        ({"PYTHONIOENCODING": "utf-8"}, "loading …\né شهر\n".encode(), "100%█ → شهر".encode()),
        ({"PYTHONIOENCODING": "ascii"}, rb"loading ...|\xe9 \u0634\u0647\u0631|", rb"100%# -> \u0634\u0647\u0631"),
        ({"PYTHONIOENCODING": "latin-1"}, b"loading ...|\xe9 \\u0634\\u0647\\u0631|", rb"100%# -> \u0634\u0647\u0631"),
        (OLD, rb"loading ...|\xe9 \u0634\u0647\u0631|", rb"100%# -> \u0634\u0647\u0631"),
    ],
    ids=["utf-8", "ascii", "latin-1", "C"],
)
def test_what_a_terminal_can_not_show_is_spelled(environment: dict[str, str], printed: bytes, errors: bytes) -> None:
    done = python(SHOW, **environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed.replace(b"|", b"\n"), errors)


def test_names_of_files_are_utf8_in_any_locale(tmp_path: Path) -> None:
    (tmp_path / "جدول").touch()
    code = f"import os\ndef main():\n  print(ascii(os.listdir({str(tmp_path)!r}))); return 0\n"
    done = python(f"{code}from ekiben.training.process import run_process\nrun_process(main, [])", **OLD)
    assert done.stdout.decode().strip() == ascii(["جدول"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_sentence(unbuffered: str) -> None:
    done = python(SHOW, ">/dev/full", PYTHONUNBUFFERED=unbuffered)
    said = b"error: standard output can't be written: No space left on device\n"
    assert done.returncode == 2
    assert done.stderr.removeprefix("100%█ → شهر".encode()) == said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_help_on_a_full_disk_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ekiben.commands", "--help"],
        cwd=ROOT, stdout=os.open("/dev/full", os.O_WRONLY), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "error: standard output can't be written: No space left on device\n")


@pytest.mark.parametrize(
    ("redirected", "printed"), [(">&-", b""), ("2>&-", b"loading"), ("<&-", b"loading"), ("<&- >&- 2>&-", b"")]
)
def test_a_closed_stream_is_no_file_that_is_opened_next(redirected: str, printed: bytes, tmp_path: Path) -> None:
    made = str(tmp_path / "made")
    code = f"import os, sys\nfrom ekiben.training.process import run_process\nmade = {made!r}\n"
    main = "def main():\n  number = os.open(made, os.O_CREAT); print('loading'); return 0 if number > 2 else 3\n"
    done = python(f"{code}{main}sys.exit(run_process(main, []))", redirected)
    assert (done.returncode, done.stdout.strip()) == (0, printed)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_error_on_a_full_disk_is_no_error() -> None:
    done = python(SHOW, "2>/dev/full", PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stdout) == (0, "loading …\né شهر\n".encode())


def test_only_what_can_not_be_encoded_is_spelled() -> None:
    assert spell(UnicodeEncodeError("ascii", "a…b", 1, 2, "")) == ("...", 2)
    with pytest.raises(UnicodeDecodeError):
        spell(UnicodeDecodeError("ascii", b"\xff", 0, 1, ""))
