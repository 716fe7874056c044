"""Metrics when their files can't be written: answers go on, one sentence says so, and no number is wrong."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ekiben.model.package import PackedModel
from ekiben.service.telemetry.metric_files import COMPLETE, FIRST_BYTES, CounterFiles, Counters
from tests.conftest import Server, serve, wait_until
from tests.http_client import HTTP

GIVEN_UP = "this worker keeps its metrics in memory"
COUNTED = 'ekiben_inference_requests_total{code="200",protocol="predict"}'


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> None:
    with (disk / "fill").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert not shutil.disk_usage(disk).free


def ask(server: Server, model: PackedModel) -> int:
    return HTTP.post(f"{server.url}/predict", json={"rows": [model.schema.example]}).status_code


def key(name: str) -> str:
    return json.dumps([name, name, {}, "help"])


def count(path: Path, name: str, value: float, files: CounterFiles | None = None) -> Counters:
    counters = (files or CounterFiles())(str(path))
    counters.write_value(key(name), value, 0.0)
    return counters


def read(path: Path, files: CounterFiles | None = None) -> dict[str, float]:
    series = (files or CounterFiles()).read_all_values_from_file(str(path))
    return {found: value for found, value, *_ in series}


def test_a_file_takes_its_room_at_once(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    count(path, "a", 1.0).close()
    assert path.stat().st_size == FIRST_BYTES
    assert path.stat().st_blocks * 512 >= FIRST_BYTES
    assert read(path) == {key("a"): 1.0}  # as prometheus_client's own files


def test_a_file_grows_with_its_series(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    files = CounterFiles()
    counters = files(str(path))
    names = [f"{number}-{'é' * 100}" for number in range(500)]
    for value, name in enumerate(names):
        counters.write_value(key(name), float(value), 0.0)
    in_memory = read(path, files)
    counters.close()
    assert read(path) == in_memory == {key(name): float(value) for value, name in enumerate(names)}


def test_without_room_values_stay_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    marker = tmp_path / COMPLETE
    marker.touch()
    for kind in ("counter", "histogram"):
        (tmp_path / f"{kind}_1.db").symlink_to("/dev/full")
    first, second = (tmp_path / f"{kind}_1.db" for kind in ("counter", "histogram"))
    files = CounterFiles()
    count(first, "a", 1.0, files)
    count(second, "b", 2.0, files).write_value(key("b"), 3.0, 0.0)
    assert (read(first, files), read(second, files)) == ({key("a"): 1.0}, {key("b"): 3.0})
    assert not marker.exists()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{first} can't be written (No space left on device): {GIVEN_UP}")


@pytest.mark.parametrize("content", [b"", b"\x01", b"\xff" * 100, bytes(FIRST_BYTES), b"\x09\x01\x00\x00" + bytes(500)])
def test_a_damaged_file_counts_nothing_and_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"counter_{os.getpid()}.db"
    path.write_bytes(content)
    assert read(path) == {}
    count(path, "a", 1.0).close()
    assert read(path) == {key("a"): 1.0}


def test_a_new_worker_goes_on_where_a_dead_one_ended(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    for kind in ("counter", "gauge_livesum"):
        count(tmp_path / f"{kind}_{ended.pid}.db", "a", 5.0).close()
    count(tmp_path / f"histogram_{os.getppid()}.db", "a", 5.0).close()
    mine = [tmp_path / f"{kind}_{os.getpid()}.db" for kind in ("counter", "gauge_livesum", "histogram")]
    for path in mine:
        CounterFiles()(str(path)).close()
    assert [read(path) for path in mine] == [{key("a"): 5.0}, {}, {}]
    assert {path.name for path in tmp_path.iterdir()} == {f"histogram_{os.getppid()}.db", *(path.name for path in mine)}


@pytest.mark.slow
def test_a_service_starts_and_counts_on_a_full_disk(model: PackedModel, small_disk: Path, tmp_path: Path) -> None:
    fill(small_disk)
    with serve(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(small_disk)) as server:
        assert [ask(server, model) for _ in range(3)] == [200] * 3
        wait_until(lambda: server.metric(COUNTED) == 3)
        log = server.log.read_text()
    assert log.count(GIVEN_UP) == 1
    assert "Traceback" not in log


@pytest.mark.slow
def test_with_several_workers_no_part_is_passed_off_as_the_whole(
    model: PackedModel, small_disk: Path, tmp_path: Path
) -> None:
    fill(small_disk)
    with serve(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(small_disk), WORKERS="2") as server:
        assert ask(server, model) == 200
        answer = HTTP.get(f"{server.url}/metrics")
        assert (answer.status_code, "not every worker can publish its metrics" in answer.text) == (503, True)
        assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_a_disk_that_fills_up_and_a_folder_that_goes_change_nothing(
    model: PackedModel, small_disk: Path, tmp_path: Path
) -> None:
    with serve(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(small_disk)) as server:
        fill(small_disk)
        assert ask(server, model) == 200
        wait_until(lambda: server.metric(COUNTED) == 1)
        assert GIVEN_UP not in server.log.read_text()  # there was room for this at the start
        (folder,) = small_disk.glob("metrics-*")
        shutil.rmtree(folder)
        assert ask(server, model) == 200
        wait_until(lambda: server.metric(COUNTED) == 2)
        assert "Traceback" not in server.log.read_text()


@pytest.mark.slow
def test_two_workers_add_up(model: PackedModel, tmp_path: Path) -> None:
    with serve(tmp_path, WORKERS="2") as server:
        wait_until(lambda: server.log.read_text().count("is ready") == 2)
        for _ in range(20):
            assert ask(server, model) == 200
        wait_until(lambda: server.metric(COUNTED) == 20)


@pytest.mark.slow
def test_paths_that_are_not_there_make_no_metrics(server: Server) -> None:
    for number in range(20):
        assert HTTP.get(f"{server.url}/not-there-{number}").status_code == 404
    assert "not-there" not in HTTP.get(f"{server.url}/metrics").text
