"""Reloads under load: whose answer an answer is, and what counts as good enough."""

from pathlib import Path

import numpy as np
import pytest

from ekiben.load_tests.__main__ import main
from ekiben.load_tests.reloads.answers import FORMATS, VersionedCase, write_cases
from ekiben.load_tests.reloads.callers import Answered
from ekiben.load_tests.reloads.verdict import Reloads, list_checks, measure_phases, report
from ekiben.load_tests.reloads.versions import VERSIONS, pack_versions, read_answers
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.model.golden import Golden
from ekiben.model.package import PackedModel
from tests.conftest import free_port
from tests.every_kind import ROW, SCHEMA

ANSWERS = {version: Golden(rows=[ROW], answers=[[value]]) for version, value in (("1", 0.25), ("2", 0.5))}


def answer(version: str, value: float) -> bytes:
    return f'{{"predictions":[{{"probability":{value}}}],"version":"{version}"}}'.encode()


@pytest.fixture
def case() -> VersionedCase:
    (case,) = write_cases(SCHEMA, ANSWERS, PREDICT, (1,), 1)
    return case


def test_an_answer_is_its_versions(case: VersionedCase) -> None:
    for _ in range(2):  # the second time it is known
        assert case.find_version(answer("1", 0.25)) == "1"
        assert case.find_version(answer("2", 0.5)) == "2"


@pytest.mark.parametrize("given", [answer("1", 0.5), answer("2", 0.25), answer("3", 0.25), b"{}", b"no JSON"])
def test_an_answer_of_another_version_is_wrong(case: VersionedCase, given: bytes) -> None:
    assert case.find_version(given) == ""
    answered = Answered()
    answered.take(case, 0.0, "", given)
    answered.take(case, 0.0, "500 why", b"")
    assert (answered.wrong.total(), answered.failed.total(), len(answered.times)) == (1, 1, 0)


def go(slow: float = 0.01, growth: float = 1.0, versions: tuple[str, ...] = VERSIONS, cpu_s: float = 1.0) -> Reloads:
    """Ten seconds before, during and after reloads; `slow` and `cpu_s` are those of the last."""
    answered = Answered()
    for phase, latency in ((0, 0.01), (10, 0.015), (20, slow)):
        times = np.linspace(phase, phase + 10, 1000, endpoint=False)
        answered.times += times.tolist()
        answered.latencies_s += [latency] * len(times)
    answered.versions.update(versions * 50)
    memory = np.linspace(300, 300 * growth, 100).tolist()
    return Reloads(answered, 0.0, 10.0, 20.0, 30.0, [0.2] * 100, memory_mib=memory, cpu_s=[0.0, 1.0, 2.0, 2.0 + cpu_s])


def find_missed(done: Reloads) -> list[str]:
    return [check.criterion for check in list_checks(done, *measure_phases(done)) if not check.met]


def test_good_reloads_miss_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert find_missed(go()) == []
    assert report(go()) == 0
    assert "| during | 100 | 1000 | 15.0 | 15.0 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("done", "missed"),
    [
        (go(slow=0.03), "p99 afterwards at most 2 × as before"),
        (go(growth=1.2), "resident memory within 5%"),
        (go(versions=("1",)), "both versions answer"),
        (go(cpu_s=1.5), "a request costs afterwards what it did before"),
    ],
)
def test_what_is_missed_is_named(done: Reloads, missed: str) -> None:
    assert find_missed(done) == [missed]
    assert report(done) == 1


def test_a_failed_reload_and_a_wrong_answer_are_named() -> None:
    done = go()
    done.take_reload(0.1, 400, b"why")
    done.answered.wrong["/predict"] += 1
    done.answered.failed["/predict: 500"] += 1
    assert find_missed(done) == [
        "every reload is done",
        "no answer that is not its version's",
        "no failed request",
    ]


@pytest.mark.slow
def test_two_versions_are_packed_whose_answers_differ(model: PackedModel, tmp_path: Path) -> None:
    pack_versions(model, tmp_path)
    first, second = read_answers(model, tmp_path).values()
    assert first.rows == second.rows
    assert np.abs(np.array(first.answers) - np.array(second.answers)).max() > 0.01


@pytest.mark.slow
def test_versions_take_each_others_place_under_load(model: PackedModel, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ekiben.service.servings.reloading")  # what answers the calls
    main(["reloads", "--reloads", "6", "--seconds", "1", "--port", str(free_port())])
    printed = capsys.readouterr().out
    for criterion in ("every reload is done", "both versions answer", "no answer that is not", "no failed request"):
        (line,) = [line for line in printed.splitlines() if line.startswith(f"| {criterion}")]
        assert line.endswith("| met |"), line
    assert f"{len(FORMATS)} protocols" in printed
