"""The load tests' own parts: what the generator counts, what follows from it, and what a wrong command line gets."""

import asyncio
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from ekiben.contract.errors import UserError
from ekiben.contract.openapi_types import row_type
from ekiben.contract.version import VERSION
from ekiben.load_tests import batching_gain, soak
from ekiben.load_tests.__main__ import main
from ekiben.load_tests.capacity.container import size_container, write_resources
from ekiben.load_tests.capacity.hpa import write_patch
from ekiben.load_tests.capacity.measure import CapacityResult, Goal, bisect, is_starved
from ekiben.load_tests.capacity.rates import Bench, Step
from ekiben.load_tests.capacity.report import Findings, write_report
from ekiben.load_tests.capacity.scalability import Law, fit_law, law, plan_replicas
from ekiben.load_tests.generator.cpu_affinity import NoFreeCore, Split, split_cores
from ekiben.load_tests.generator.load import Call, Load, draw_arrivals
from ekiben.load_tests.generator.processes import Offered, merge, start_generator
from ekiben.load_tests.generator.sender import send
from ekiben.load_tests.overload.overload import evaluate
from ekiben.load_tests.overload.rejection_cost import Costs, measure_rejection_floor, read_costs, start_rejecting_server
from ekiben.load_tests.requests.http_dialects import PREDICT
from ekiben.load_tests.requests.service_under_test import (
    Service,
    find_service,
    find_source,
    generate_rows,
    read_schema,
    write_calls,
)
from ekiben.load_tests.servers.start import check_free
from ekiben.load_tests.soak_verdict import SoakResult
from ekiben.model.package import PackedModel
from tests.conftest import Server, free_port
from tests.doubling import MANIFEST, Doubling
from tests.doubling import SCHEMA as DOUBLING
from tests.fuzz.service import SCHEMA

RIGHT = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nright"
REJECTED = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
BARE = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n"
FAILED = b"HTTP/1.1 500 Oh\r\ncontent-length: 2\r\n\r\nno"
WRONG = RIGHT.replace(b"right", b"wrong")
CALL = Call(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", b"right")


@contextmanager
def answering(answer: Callable[[int], bytes]) -> Iterator[tuple[str, int]]:
    """A server that gives its n-th request an answer, or none if that is empty."""
    listener = socket.create_server(("127.0.0.1", 0))
    count = iter(range(10**9))

    def talk(connection: socket.socket) -> None:
        with connection:
            try:
                while connection.recv(65536):
                    connection.sendall(answer(next(count)))
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()
    finally:
        listener.close()


def offer(answer: Callable[[int], bytes], **how: Any) -> Offered:
    with answering(answer) as address:
        load = Load(address, [CALL], **({"rate": 400.0, "seconds": 0.5, "connections": 8} | how))
        return merge(load, [send(load)])


def test_arrivals_are_a_poisson_process() -> None:
    arrivals = draw_arrivals(Load(("", 0), [CALL], rate=1000, seconds=20))
    gaps = np.diff(arrivals)
    assert arrivals.max() < 20
    assert len(arrivals) == pytest.approx(20_000, rel=0.05)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_right_answers_are_good() -> None:
    offered = offer(lambda _: RIGHT)
    assert offered.sent == offered.good > 100
    assert offered.missed == 0


def test_what_is_not_good_is_told_apart() -> None:
    answers = [RIGHT, REJECTED, BARE, FAILED, WRONG]
    offered = offer(lambda number: answers[number % 5])
    counts = [offered.good, offered.shed, offered.bare, offered.failed, offered.wrong]
    assert min(counts) > 0
    assert offered.good + offered.shed + offered.failed + offered.wrong + offered.timed_out == offered.sent


def test_a_request_without_an_answer_times_out() -> None:
    offered = offer(lambda number: RIGHT if number < 8 else b"", timeout_s=0.1)  # each connection's first is no load
    assert offered.timed_out == offered.sent > 0


def test_a_service_that_is_gone_fails_requests() -> None:
    load = Load(("127.0.0.1", free_port()), [CALL], rate=100, seconds=0.2, connections=2, timeout_s=0.2)
    offered = merge(load, [send(load)])
    assert offered.failed + offered.timed_out == offered.sent > 0


def test_waiting_counts_from_the_intended_start() -> None:
    pause = threading.Event()
    slow = offer(lambda number: RIGHT if number < 1 or not pause.wait(0.02) else b"", rate=100, connections=1)
    assert slow.percentile(99) > 100  # ms, though each answer takes 20: 50 a second can be had, 100 are offered


def test_a_closed_loop_keeps_as_many_in_flight() -> None:
    offered = offer(lambda _: RIGHT, rate=0.0, in_flight=4)
    assert offered.good == offered.sent > 50


def step(rate: float, p99_ms: float, **counts: int) -> Step:
    sent = int(rate)
    given = {"shed": 0, "timed_out": 0, "wrong": 0, "failed": 0, "bare": 0} | counts
    good = sent - sum(given.values())
    offered = Offered(1.0, sent, good, latency_ms=np.full(good, p99_ms), good_at_s=np.linspace(0, 4, good),
                      lag_p99_ms=0.1, cpu_share=0.3, **given)  # fmt: skip
    return Step(offered, 0, 0.5, 3.0)


def test_the_goal_is_met_and_missed() -> None:
    goal = Goal(50)
    assert goal.is_met(step(1000, 49).offered)
    assert not goal.is_met(step(1000, 51).offered)
    assert not goal.is_met(step(1000, 10, shed=2).offered)
    assert not goal.is_met(step(10_000, 10, wrong=1).offered)


def test_the_bisection_ends_near_the_knee() -> None:
    bench = SimpleNamespace(offer=lambda rate: step(rate, 10 if rate <= 7000 else 500))
    steps = [step(4000, 10), step(12_000, 500)]
    found = bisect(bench, steps, Goal(50))  # type: ignore[arg-type]
    best = max(one.offered.rate for one in found if Goal(50).is_met(one.offered))
    assert best == pytest.approx(7000, rel=0.05)


def test_the_law_is_found_again() -> None:
    callers = [1, 2, 4, 8, 16, 32, 64]
    fitted = fit_law(callers, law(np.array(callers, float), 1000, 0.05, 0.0002).tolist())
    assert (fitted.rate, fitted.contention, fitted.coherency) == pytest.approx((1000, 0.05, 0.0002), rel=0.01)
    assert "95% confidence" in str(fitted)
    steep = fit_law(callers, law(np.array(callers, float), 1000, 0.05, -0.0002).tolist())
    assert steep.coherency == pytest.approx(0, abs=1e-6)


def test_a_target_gets_a_spare_replica() -> None:
    plan = plan_replicas(10_000, 3000, rows_per_request=1, slo_ms=50)
    assert (plan.replicas - 1) * 3000 >= 10_000 > (plan.replicas - 2) * 3000
    assert plan.requests_per_second == 2100
    assert plan.waiting_rows == 30  # of the 60 that may wait for 20 ms


def test_no_number_of_replicas_helps_if_none_meets_the_slo() -> None:
    with pytest.raises(UserError, match="no rate meets the SLO"):
        plan_replicas(10_000, 0, 1, 50)


def test_the_patch_is_the_autoscalers(tmp_path: Path) -> None:
    write_patch(tmp_path / "hpa.yaml", plan_replicas(10_000, 3000, 1, 50), "measured")
    patch = yaml.safe_load((tmp_path / "hpa.yaml").read_text())
    assert (patch["kind"], patch["metadata"]["name"]) == ("HorizontalPodAutoscaler", "flight-delay")
    assert patch["spec"]["minReplicas"] == 5
    *pods, cpu = patch["spec"]["metrics"]
    assert cpu["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    metrics = {metric["pods"]["metric"]["name"]: metric["pods"]["target"] for metric in pods}
    assert metrics["ekiben_inference_requests_per_second"] == {"type": "AverageValue", "averageValue": "2100"}
    assert int(metrics["ekiben_inference_waiting_rows"]["averageValue"]) > 0


def used(rate: float, p99_ms: float, cpu_share: float, memory_mib: float) -> Step:
    return replace(step(rate, p99_ms), cpu_share=cpu_share, memory_mib=memory_mib)


def sized(*steps: Step) -> CapacityResult:
    met = [one for one in steps if Goal(50).is_met(one.offered)]
    split = Split(frozenset({0}), frozenset({1}))
    return CapacityResult(1, split, [], steps, Law(1, 0, 0, (0, 0, 0), 1), met[-1] if met else None, False, False)


def test_a_container_gets_what_the_service_used_and_room(tmp_path: Path) -> None:
    measured = sized(used(1000, 5, 0.2, 190), used(4000, 20, 0.93, 200), used(5000, 300, 0.98, 205))
    container = size_container(measured, max_body_bytes=8 * 2**20)
    assert container
    assert (container.cpu_millis, container.cpu_limit) == (1000, 2)
    assert container.memory_mib == 272  # a quarter more than the most
    assert container.memory_limit_mib == 272 + 96 + 64
    assert container.utilization == 64  # interpolated at 2,800/s, where requests a second add a replica too
    write_resources(tmp_path / "resources.yaml", container, "measured")
    (written,) = yaml.safe_load((tmp_path / "resources.yaml").read_text())["spec"]["template"]["spec"]["containers"]
    assert written["resources"]["requests"] == {"cpu": "1000m", "memory": "272Mi"}
    assert written["resources"]["limits"] == {"cpu": "2", "memory": "432Mi"}


def test_what_was_not_measured_sizes_nothing() -> None:
    assert size_container(sized(used(1000, 300, 0.9, 200)), 1) is None  # no rate was carried
    assert size_container(sized(used(1000, 5, math.nan, math.nan)), 1) is None  # it runs on another machine


def test_the_report_holds_everything(tmp_path: Path) -> None:
    steps = [step(1000, 5), step(4000, 20), step(5000, 300, shed=900)]
    sweep = [Step(step(1000 * n, 5).offered, n, 0.5, 1.0) for n in (1, 2, 3, 4)]
    fitted = fit_law([1, 2, 3, 4], [1000, 1900, 2700, 3300])
    measured = CapacityResult(
        1, Split(frozenset({0}), frozenset({1})), sweep, steps, fitted, steps[1], limited=False, starved=False
    )
    write_report(tmp_path, Findings(Goal(50), 10_000, [measured], plan_replicas(10_000, 4000, 1, 50), "golden rows"))
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(list(tmp_path.glob("*.png"))) == 5
    assert "http://" not in page.replace("http://127.0.0.1", "")
    summary = (tmp_path / "summary.md").read_text()
    assert "10,000 requests/s need 4 replicas" in summary
    assert "1 worker: 4,000 requests/s with p99 20.0 ms" in summary
    for fact in ("machine:", "setting: MAX_WAIT_S=0.02", f"versions: ekiben {VERSION}, bentoml", "commit:", "command:"):
        assert f"- {fact}" in summary


def test_a_busy_machine_is_seen() -> None:
    split = Split(frozenset({0}), frozenset({1}))
    assert is_starved(step(1000, 500), split)  # with half a core
    assert not is_starved(Step(step(1000, 500).offered, 0, 0.98, 3.0), split)


def test_the_generators_own_limit_is_seen() -> None:
    assert not step(1000, 5).offered.is_limited(slo_ms=50)
    assert step(1000, 5).offered.is_limited(slo_ms=0.5)


def test_overload_is_judged() -> None:
    normal = step(1000, 5).offered
    assert all(check.met for check in evaluate(1000, step(5000, 80, shed=4050).offered, normal, normal, 50))
    missed = evaluate(1000, step(5000, 180, shed=4500, timed_out=1).offered, normal, step(1000, 50).offered, 50)
    assert not any(check.met for check in missed)


def test_what_can_be_kept_follows_from_what_a_rejection_costs() -> None:
    costs = read_costs(step(1000, 5), step(5000, 80, shed=4500))  # of 1,000 answers a second, 500 are left
    assert costs.answer_s == pytest.approx(1e-3)
    assert costs.rejection_s == pytest.approx(0.5 / 4500)
    assert costs.keep(1) == 1
    assert costs.keep(5) == pytest.approx(0.5)
    assert costs.keep(100) == Costs(1.0, 2.0).keep(2) == 0


@pytest.mark.slow
def test_a_server_that_only_rejects_is_measured() -> None:
    cores = frozenset(os.sched_getaffinity(0))
    with start_generator(Split(cores, frozenset(sorted(cores)[:1]))) as generator:
        least = measure_rejection_floor(generator, Load(("", 0), [CALL], rate=4000, seconds=2, connections=8), cores)
    assert 0 < least.seconds < 1e-3
    assert 0 < least.kernel_share <= 1


def test_a_server_that_only_rejects_and_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(UserError, match="did not start"), start_rejecting_server(frozenset()):
        pass


def test_a_soak_is_judged(capsys: pytest.CaptureFixture[str]) -> None:
    seen = SoakResult(memory=[(float(second), 100.0) for second in range(300)])
    seen.good["/predict"] = 5
    assert soak.report(seen, 5) == 0
    seen.memory = [(float(second), 100 + second / 10) for second in range(300)]
    assert soak.report(seen, 5) == 1
    assert "+6.00 MiB a minute" in capsys.readouterr().out


def test_one_core_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    with pytest.raises(NoFreeCore, match="needs a core"):
        split_cores(1)
    assert split_cores(0, remote=True).generator == {3}


def test_workers_and_generator_get_cores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert split_cores(2) == Split(frozenset({0, 1}), frozenset({2, 3}))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert split_cores(2).shared


def test_rows_are_generated_from_the_services_document() -> None:
    document = row_type(SCHEMA).model_json_schema()
    schema = read_schema(Service("http://a", "kinds", "1", document))
    assert [feature.name for feature in schema.features] == [feature.name for feature in SCHEMA.features]
    rows = generate_rows(schema)
    assert {row["city with spaces"] for row in rows} == {"a", "b"}
    assert all(-1e6 <= row["x"] <= 1e6 for row in rows)
    assert {row["yes"] for row in rows} == {True, False}


@pytest.mark.parametrize("slo", ["0", "-1", "soon", "nan", "inf"])
def test_a_wrong_slo_is_rejected(slo: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["capacity", f"--slo-p99-ms={slo}"])
    assert stopped.value.code == 2
    assert f"expected a number above 0, got {slo!r}" in capsys.readouterr().err


def test_an_url_that_nobody_answers_at_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capacity", "--url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert "error: nothing answers at http://127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "https://a", "ftp://a", ""])
def test_what_is_no_url_is_rejected(url: str) -> None:
    with pytest.raises(UserError, match="expected an address such as"):
        find_service(url)


@pytest.mark.parametrize("answer", [RIGHT, FAILED, RIGHT.replace(b"right", b'["a"]').replace(b": 5", b": 5")])
def test_another_server_is_rejected(answer: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    with answering(lambda _: answer) as (host, port):
        assert main(["capacity", "--url", f"http://{host}:{port}"]) == 2
    assert "is not Ekiben" in capsys.readouterr().err


@pytest.mark.parametrize("network", [[], ["--heavy"]], ids=["light", "heavy"])
def test_more_rows_than_a_request_may_have_are_rejected(network: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["overload", "--rows", "99999999", *network]) == 2
    assert "--rows 99999999: the service takes at most MAX_REQUEST_ROWS=20000" in capsys.readouterr().err


@pytest.mark.parametrize("network", [[], ["--heavy"]], ids=["light", "heavy"])
def test_more_cores_than_there_are_are_rejected(network: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["overload", "--cores", "999", *network]) == 2
    assert f"--cores 999: this process may use {len(os.sched_getaffinity(0))}" in capsys.readouterr().err


def test_a_taken_port_is_rejected() -> None:
    with answering(lambda _: RIGHT) as (_, port), pytest.raises(UserError, match=f"listens on port {port}"):
        check_free(port)
    check_free(free_port())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("overload", "--rows", "0"), "expected a whole number above 0, got '0'"),
        (("soak", "--minutes", "long"), "expected a number above 0, got 'long'"),
        (("soak", "--port", "70000"), "expected a port from 1 to"),
        (("batching", "--seconds", "-1"), "expected a number above 0, got '-1'"),
        ((), "the following arguments are required: COMMAND"),
    ],
)
def test_a_wrong_option_is_rejected(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_the_queue_is_measured_with_and_without_batches() -> None:
    model = PackedModel(path=None, schema=DOUBLING, manifest=MANIFEST)  # type: ignore[arg-type]
    asked = [{"x": float(number), "c": "a"} for number in range(10)]
    settings = {setting.name: setting for setting in batching_gain.SETTINGS}
    for name in ("adaptive", "batches, all in the thread"):
        cell = asyncio.run(batching_gain.measure(model, Doubling(), asked, 8, settings[name], 0.1))
        assert cell.batch_rows > 1
        assert cell.requests_per_s > 0
    for name in ("one request at a time, on the event loop", "one request at a time, in the thread"):
        cell = asyncio.run(batching_gain.measure(model, Doubling(), asked, 8, settings[name], 0.1))
        assert cell.batch_rows == 1


@pytest.mark.slow
def test_a_running_service_is_measured(server: Server) -> None:
    service = find_service(server.url)
    source = find_source(service)
    assert source.golden is not None
    calls = write_calls(service, source, PREDICT, 1, 20)
    generator: Any = SimpleNamespace(offer=lambda load, prepare: merge(load, [send(load, prepare)]))
    said: list[str] = []
    bench = Bench(service, generator, calls, 1.0, None, said.append)
    measured = bench.offer(200, connections=16)
    assert measured.offered.good == measured.offered.sent > 100
    assert measured.batch_rows >= 1
    assert "/s good" in said[0]


@pytest.mark.slow
def test_another_model_in_the_store_is_noticed(server: Server) -> None:
    service = find_service(server.url)
    source = find_source(service)
    assert source.golden is not None
    wrong = source.golden.model_copy(update={"answers": [[0.123] for _ in source.golden.answers]})
    with pytest.raises(UserError, match="serves another model than the store has"):
        write_calls(service, type(source)(source.schema, source.rows, wrong), PREDICT, 1, 1)
