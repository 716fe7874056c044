import resource
from pathlib import Path

import pytest

from ekiben.service.lifecycle.resource_limits import Limits, read_limits, read_oom_kills

GIB = 2**30
UNLIMITED_V1 = "9223372036854771712"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content + "\n")
    return root


@pytest.mark.parametrize(
    ("files", "limits"),
    [
        ({"cpu.max": "150000 100000", "memory.max": str(GIB)}, Limits(1.5, GIB)),
        ({"cpu.max": "max 100000", "memory.max": "max"}, Limits()),
        (
            {
                "cpu/cpu.cfs_quota_us": "50000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": str(GIB),
            },
            Limits(0.5, GIB),
        ),
        (
            {
                "cpu/cpu.cfs_quota_us": "-1",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": UNLIMITED_V1,
            },
            Limits(),
        ),
        ({}, Limits()),
    ],
    ids=["version 2", "version 2 without limits", "version 1", "version 1 without limits", "no cgroups"],
)
def test_limits_are_read_from_either_version(tmp_path: Path, files: dict[str, str], limits: Limits) -> None:
    assert read_limits(write(tmp_path, files)) == limits


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        ({"memory.events": "low 0\noom 4\noom_kill 3"}, 3),
        ({"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2"}, 2),
        ({"memory.events": "low 0"}, None),
        ({}, None),
    ],
)
def test_kills_for_memory_are_read_from_either_version(
    tmp_path: Path, files: dict[str, str], kills: int | None
) -> None:
    assert read_oom_kills(write(tmp_path, files)) == kills


@pytest.mark.parametrize(("cpus", "threads"), [(0.5, 1), (1.5, 1), (4.0, 4)])
def test_threads_are_the_whole_cpus(cpus: float, threads: int) -> None:
    assert Limits(cpus).threads == threads


@pytest.mark.parametrize("kind", ["RLIMIT_RSS", "RLIMIT_DATA", "RLIMIT_AS"])
def test_what_ulimit_allows_counts_where_it_is_less(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def allow(asked: int) -> tuple[int, int]:
        return (GIB // 2 if asked == getattr(resource, kind) else resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    monkeypatch.setattr(resource, "getrlimit", allow)
    assert read_limits(tmp_path) == Limits(None, GIB // 2)
    assert read_limits(write(tmp_path, {"memory.max": str(GIB // 4)})) == Limits(None, GIB // 4)
