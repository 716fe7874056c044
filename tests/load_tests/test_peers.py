"""What is said of the other servers: the table, where we lose, and what is not installed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ekiben.load_tests.comparison.peer_list import ENTRIES
from ekiben.load_tests.comparison.peers_report import Line, Run, report
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW
from ekiben.load_tests.requests.http_dialects import BARE, INVOCATIONS, PREDICT, RequestFormat
from ekiben.load_tests.servers import process
from ekiben.load_tests.servers.environment import describe_missing
from ekiben.load_tests.servers.process import (
    Measured,
    cpu_seconds,
    end,
    family,
    is_alive,
    memory_mib,
    private_and_shared_mib,
)
from tests.conftest import wait_until

ROOT = Path(__file__).parents[2]
OURS = "Ours"
BURN = "import time\nwhile time.process_time() < 0.3: pass"
LEAVES_A_CHILD = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()']); input()"
IGNORES_SIGTERM = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {LEAVES_A_CHILD}"


def line(
    server: str,
    *rates: float,
    request_format: RequestFormat = PREDICT,
    p50_ms: float = 10,
    p99_ms: float = 20,
    mib: float = 100,
) -> Line:
    """A server with those rates in its rounds, at 64 requests in flight."""
    runs = [Run(Measured(rate, p50_ms, p99_ms, 50, 1), mib, 2) for rate in rates]
    return Line(server, "1.2", "LiteRT", request_format, (1, 64), runs)


def test_the_table_has_medians_and_the_fastest_first() -> None:
    rows = report([line("Slow", 3000), line(OURS, 5000, 9000, 6400)], OURS).splitlines()
    assert [row.count("|") for row in rows[:4]] == [13] * 4
    assert rows[2] == "| 1 × 64 | Ours | 1.2 | LiteRT | /predict | 6,400 | 10.0 | 20.0 | 50 | 100 | 2.0 | 3 |"
    assert rows[3].startswith("| 1 × 64 | Slow |")


def test_a_server_that_hardly_answers_has_no_honest_percentiles() -> None:
    rows = report([line(OURS, 6400), line("Stuck", 9, p50_ms=900, p99_ms=1800)], OURS)  # 64 in flight: 7 s each
    assert "| 9 | ≥ 900.0 | ≥ 1,800.0 |" in rows
    assert rows.count("≥") == 2


def test_it_says_where_we_lose() -> None:
    said = report([line(OURS, 6400), line("Lean", 3000, p99_ms=19, mib=50)], OURS).splitlines()[-1]
    assert said == (
        "Ours loses in p99 ms at 1 × 64 in /predict to Lean on LiteRT (20.0 against 19.0); "
        "memory MiB to Lean on LiteRT (100 against 50)."
    )


def test_it_says_when_we_do_not_lose() -> None:
    said = report([line(OURS, 6400), line("Same", 6400)], OURS).splitlines()[-1]
    assert said == "Ours loses in no column of any row, each held against its own in the same protocol."


def test_a_dialect_is_held_against_the_same_or_what_stands_for_it() -> None:
    fast = 10_000
    assert "loses in no" in report([line(OURS, 6400), line("Other", fast, request_format=OIP_RAW)], OURS)
    assert "req/s" in report([line(OURS, 6400), line("Bare", fast, request_format=BARE)], OURS).splitlines()[-1]


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    assert (
        describe_missing("ray", tmp_path)
        == "ray is not measured: it is not installed; `make peers` in a clone of Ekiben does that"
    )


def test_why_it_could_not_be_installed_is_said(tmp_path: Path) -> None:
    (tmp_path / "ray.log").write_text("WARNING: slow\nERROR: no matching distribution\nERROR: more\n")
    said = describe_missing("ray", tmp_path)
    assert (
        said
        == "ray is not measured: installing requirements/peers/ray.txt ended with 'ERROR: no matching distribution'"
    )


def test_every_environment_is_locked_with_hashes_and_without_an_index() -> None:
    environments = {entry.peer.environment for entry in ENTRIES} - {""}
    assert environments == {path.stem for path in (ROOT / "requirements/peers").glob("*.in")}
    for name in environments:
        lock = (ROOT / f"requirements/peers/{name}.txt").read_text()
        assert "--hash=sha256:" in lock
        assert "://" not in lock


def test_mlflow_answers_with_or_without_names() -> None:
    assert INVOCATIONS.read(
        json.dumps({"predictions": [{"probability": 0.5, "label": True}]}).encode(), "probability"
    ) == [0.5]
    assert INVOCATIONS.read(json.dumps({"predictions": [[0.5], [0.25]]}).encode(), "probability") == [0.5, 0.25]


@pytest.fixture
def started() -> Iterator[list["subprocess.Popen[str]"]]:
    """What a test starts; nothing of it is left."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for one in processes:
        one.kill()
        one.communicate()


def run(code: str, started: list["subprocess.Popen[str]"]) -> psutil.Process:
    started.append(
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    return psutil.Process(started[-1].pid)


@pytest.mark.parametrize("code", [LEAVES_A_CHILD, IGNORES_SIGTERM])
def test_nothing_of_a_server_is_left(
    code: str, started: list["subprocess.Popen[str]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "END_TIMEOUT_S", 0.2)
    server = run(code, started)
    wait_until(lambda: len(family(server)) == 2)
    members = family(server)
    end(members)
    wait_until(lambda: not any(map(is_alive, members)))


def test_cpu_time_of_children_that_are_gone_counts(started: list["subprocess.Popen[str]"]) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}]); print(flush=True); input()"
    server = run(code, started)
    assert started[-1].stdout is not None
    started[-1].stdout.readline()
    assert family(server) == [server]
    assert cpu_seconds(server) >= 0.2  # the kernel counts in ticks, user's and its own apart


def test_a_page_that_processes_share_counts_once(started: list["subprocess.Popen[str]"]) -> None:
    code = "import mmap, os; shared = mmap.mmap(-1, 64 << 20); shared.write(b'x' * len(shared)); os.fork(); "
    code += "shared[:] = shared[:]; print(flush=True); input()"
    server = run(code, started)
    assert started[-1].stdout is not None
    lines = [started[-1].stdout.readline() for _ in range(2)]
    assert lines == ["\n", "\n"]
    assert memory_mib(server) > 128
    assert private_and_shared_mib(server) < 128
