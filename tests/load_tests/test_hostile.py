"""No known attack, in its short form, costs the service memory, a right answer or its framing."""

import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ekiben.contract.errors import UserError
from ekiben.load_tests.__main__ import main
from ekiben.load_tests.hostile import sampler as sampling
from ekiben.load_tests.hostile.attack import Attack, Traffic
from ekiben.load_tests.hostile.attacked_service import key
from ekiben.load_tests.hostile.catalogue import ATTACKS, choose
from ekiben.load_tests.hostile.http2 import string
from ekiben.load_tests.hostile.run import attack_all, find_forged
from ekiben.load_tests.hostile.sampler import Sampler
from ekiben.load_tests.hostile.summary import write_summary
from ekiben.load_tests.hostile.verdict import Result
from ekiben.model.package import PackedModel
from ekiben.service.lifecycle.resource_limits import MIB
from tests.conftest import PATIENCE_S, ROOT, free_port, wait_until

SECONDS = 1.0
CHOSEN = (
    *("reject-gzip", "reject-grpc-oip-raw", "gzip-members", "json-lists-nan", "parquet-page", "head-lines"),
    *("pipeline-missing", "grpc-watch", "smuggle-shut-parts", "forge"),
)


def list_chosen() -> Sequence[Attack]:
    """Return them so that few services must be started."""
    return sorted((attack for attack in ATTACKS if attack.name in CHOSEN), key=key)


@pytest.mark.slow
def test_no_attack_harms_the_service(model: PackedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiben.load_tests.hostile.run.QUIET_S", 0.3)  # what is measured meanwhile is not looked at
    results = list(attack_all(list_chosen(), free_port(), SECONDS, True, tmp_path))
    assert len(results) == len(CHOSEN)
    assert {result.attack.name: faults for result in results if (faults := list(result.find_faults()))} == {}
    assert all(result.traffic and result.traffic.answers.total() for result in results)


NOTHING = Attack("a", "nothing", lambda target: None, frozenset({"400"}))  # type: ignore[arg-type, return-value]
FINE = Result(
    NOTHING, Traffic(100, Counter({"400": 3})), 100, 149, 104, False, True, 9.0, 9.0, 99, 1, Counter(), 1.0, []
)  # fmt: skip


def test_an_attack_that_harms_nobody_is_fine() -> None:
    assert [*FINE.find_faults(), *FINE.find_slowness()] == []
    assert FINE.write_row().startswith("| a | 0.00 | 3 × 400 | 100 → 149 → 104 | 9.00 | 9.0 | 99 (1) | 0 |")


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        ({"killed": True, "whole": False}, "killed for its memory"),
        ({"whole": False}, "a process died"),
        ({"traffic": None}, "never ended"),
        ({"traffic": Traffic(1, Counter({"500": 1}))}, "answers: 500"),
        ({"traffic": Traffic(1, hidden=Counter({"close": 2}))}, "hidden requests answered: 2 × close"),
        ({"peak_mib": 151}, "peak 1.51 ×"),
        ({"after_mib": 106}, "after 1.06 ×"),
        ({"forged": ["forged-line"]}, "forged log lines"),
        ({"log_kib": 200}, "200 KiB of log"),
        ({"errors": Counter({"HTTP wrong answer": 1})}, "HTTP wrong answer"),
    ],
)
def test_what_harms_is_told(seen: dict[str, object], fault: str) -> None:
    assert list(replace(FINE, **seen).find_faults()) == [fault]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "slowness"),
    [
        ({"p99_ms": 101}, ["p99"]),
        ({"errors": Counter({"HTTP 429": 1})}, ["errors"]),
        ({"cpu_factor": 11.0}, ["CPU"]),
        ({"cpu_factor": 11.0, "cpu_s": 0.4}, []),  # in all it is nothing
    ],
)
def test_what_slows_good_callers_is_told(seen: dict[str, object], slowness: list[str]) -> None:
    assert list(replace(FINE, **seen).find_slowness()) == slowness  # type: ignore[arg-type]


def test_forged_lines_are_found() -> None:
    forging = replace(NOTHING, forged=("forged",))
    assert find_forged(b"a %0aforged\n", forging) == []
    assert find_forged(b"a\nforged 200\n", forging) == ["forged 200"]
    assert find_forged(b"a \x1b[2K\n", forging) == ["a \x1b[2K"]


def test_a_service_that_outgrows_its_limit_is_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", f"held = bytearray({100 * MIB}); input()"], stdin=subprocess.PIPE)
    try:
        sampler = Sampler(psutil.Process(process.pid), limit_mib=80)
        wait_until(lambda: sampler.sample() > 80 or process.poll() is not None)
        assert process.wait(timeout=PATIENCE_S) != 0
        assert sampler.killed
        assert not sampler.is_whole()
    finally:
        process.kill()
        process.communicate()


def test_children_count_as_long_as_they_live() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        wait_until(lambda: len(sampling.list_children(process.pid)) == 1)
        alone = sampling.read_resident(process.pid) / MIB
        assert Sampler(psutil.Process(process.pid), limit_mib=1e6).sample() > alone
        process.communicate(b"\n")
    assert sampling.read_resident(process.pid) == 0


def test_a_module_is_run_under_limits() -> None:
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_RSS)[0], r.getrlimit(r.RLIMIT_NOFILE)[0])"
    for files, allowed in ((64, 64), (0, resource.getrlimit(resource.RLIMIT_NOFILE)[0])):
        command = [
            sys.executable,
            "-m",
            "ekiben.load_tests.hostile.limited",
            "640",
            str(files),
            "timeit",
            "-n1",
            "-r1",
            code,
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[0] == f"{640 * MIB} {allowed}"


def test_the_summary_has_the_worst_of_each_kind() -> None:
    named = [replace(FINE, attack=replace(NOTHING, name=name)) for name in ("head-a", "body-a", "head-b")]
    results = [*named[:2], replace(named[2], p99_ms=101, after_mib=110, errors=Counter({"HTTP 429": 2}))]
    rows = list(write_summary(results))[2:]
    assert rows == [
        "| body | 1 | 0.0 | 1.49 | 1.04 | 9.0 | 99 | 0 |  |",
        "| head | 2 | 0.0 | 1.49 | 1.10 | 9.0 | 101 | 2 | head-b |",
    ]


def test_attacks_have_names_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert max(Counter(attack.name for attack in ATTACKS).values()) == 1
    assert main(["hostile", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(ATTACKS)


def test_attacks_are_chosen_by_how_they_begin() -> None:
    assert {attack.name for attack in choose(["time-out-oip"])} == {"time-out-oip-json", "time-out-oip-binary"}
    assert choose([]) == ATTACKS
    with pytest.raises(UserError, match="--only sabotage: there is no such attack"):
        choose(["sabotage"])


def test_long_strings_have_hpacks_lengths() -> None:
    assert string("a") == b"\x01a"
    assert string("a" * 127) == b"\x7f\x00" + b"a" * 127
    assert string("a" * 1337) == b"\x7f\xba\x09" + b"a" * 1337  # 1337 - 127 = 1210 = 0x3a + 128 × 9
