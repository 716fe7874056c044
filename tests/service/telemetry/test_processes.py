"""The `process_*` series are of all processes of a service, and never fall without a restart."""

import os
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ekiben.model.package import PackedModel
from ekiben.service.telemetry.processes import ProcessSeries, read_processes
from tests.conftest import serve, wait_until

BOOT_S = 1_800_000_000
TICKS, PAGE_BYTES = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def make_process(
    root: Path, pid: int, *, cpu_s: int = 0, ended_s: int = 0, files: int = 3, limit: str = "1024"
) -> None:
    """Write what Linux says of a process that has a space and a parenthesis in its name."""
    (root / "stat").write_text(f"cpu 1 2 3\nbtime {BOOT_S}\n")
    folder = root / str(pid)
    (folder / "fd").mkdir(parents=True, exist_ok=True)
    for number in range(files):
        (folder / "fd" / str(number)).touch()
    (folder / "limits").write_text(f"Limit Soft Hard Units\nMax open files            {limit}  4096  files\n")
    times = f"{cpu_s * TICKS} 0 {ended_s * TICKS} 0"
    (folder / "stat").write_text(f"{pid} (a) b) S 1 1 1 0 -1 0 0 0 0 0 {times} 20 0 1 0 {pid * TICKS} 9999 10 0\n")


def read(series: ProcessSeries, *pids: int) -> dict[str, float]:
    text = series.render(pids).decode()
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc of our own."""
    monkeypatch.setattr("ekiben.service.telemetry.processes.PROC", tmp_path)
    return tmp_path


def test_memory_and_time_are_sums_and_files_those_of_who_is_nearest_its_limit(root: Path) -> None:
    make_process(root, 1, cpu_s=1, ended_s=5)
    make_process(root, 7, cpu_s=10, files=20)
    make_process(root, 8, cpu_s=20, files=15, limit="16")
    assert read(ProcessSeries(), 1, 7, 8) == {
        "process_cpu_seconds_total": 36,
        "process_resident_memory_bytes": 30 * PAGE_BYTES,
        "process_start_time_seconds": BOOT_S + 1,
        "process_open_fds": 15,
        "process_max_fds": 16,
    }


def test_a_worker_that_ends_takes_no_time_with_it(root: Path) -> None:
    make_process(root, 1, cpu_s=1)
    make_process(root, 7, cpu_s=10)
    series = ProcessSeries()
    before = read(series, 1, 7)
    assert read(series, 1, 9)["process_cpu_seconds_total"] == before["process_cpu_seconds_total"] == 11
    make_process(root, 1, cpu_s=2, ended_s=10)  # the supervisor has heard of it
    assert read(series, 1)["process_cpu_seconds_total"] == 12


def test_files_without_a_limit_are_far_from_it(root: Path) -> None:
    make_process(root, 1, limit="unlimited")
    assert read(ProcessSeries(), 1)["process_max_fds"] == float("inf")


def test_a_kernel_that_says_nothing_or_something_else_gives_no_series(root: Path) -> None:
    assert ProcessSeries().render([1]) == b""
    make_process(root, 1)
    (root / "1" / "stat").write_text("nonsense")
    assert list(read_processes([1])) == []
    assert ProcessSeries().render([1]) == b""


@pytest.mark.slow
def test_a_service_reports_its_processes_and_a_worker_that_was_replaced(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, WORKERS="2", OLD_METRIC_NAMES="1") as server:
        wait_until(lambda: server.metric("ekiben_worker_starts_total") == 2, server.log.read_text)
        started = server.metric("process_start_time_seconds")
        assert server.metric("process_resident_memory_bytes") > 100 * 2**20
        assert server.metric("process_open_fds") < server.metric("process_max_fds")
        assert server.metric("model_info{") == server.metric("ekiben_model_info{") == 1
        assert server.metric("build_info{") == 0
        spent = server.metric("process_cpu_seconds_total")
        (worker, *_) = find_workers(server.process.pid)
        os.kill(worker, 9)
        wait_until(lambda: server.metric("ekiben_worker_starts_total") == 3, server.log.read_text)
        assert server.metric("process_cpu_seconds_total") >= spent
        assert server.metric("process_start_time_seconds") == started


def find_workers(supervisor: int) -> list[int]:
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(child) for child in children if b"worker" in Path(f"/proc/{child}/cmdline").read_bytes()]
