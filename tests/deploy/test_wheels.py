"""Each package of the image has a wheel for both platforms, which the lock knows."""

from pathlib import Path
from typing import Any

import pytest

from ekiben.deploy.image import wheels
from ekiben.deploy.image.locks import LOCKS
from ekiben.deploy.image.wheels import MACHINES, NoIndex, WheelMissing, applies, check_wheels, explain, read_lock
from tests.conftest import ROOT

LOCK = f"""
one==1.0 \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
    # via two
other-cpu==2.0 ; platform_machine == 'x86_64' and sys_platform == 'linux' \\
    --hash=sha256:{"c" * 64}
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.txt"
    path.write_text(LOCK)
    return path


def report(name: str, digest: str) -> dict[str, Any]:
    found = {"archive_info": {"hashes": {"sha256": digest}}}
    return {"install": [{"metadata": {"name": name, "version": "1.0"}, "download_info": found}]}


def test_a_lock_is_read_with_its_hashes_and_markers(lock: Path) -> None:
    (one, hashes), (other, _) = read_lock(lock)
    assert (str(one), hashes) == ("one==1.0", {"a" * 64, "b" * 64})
    assert [applies(other, machine) for machine in ("x86_64", "aarch64")] == [True, False]


def test_what_the_index_has_is_compared_with_the_lock(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    given = report("One", "b" * 64)
    monkeypatch.setattr(wheels, "ask_pip", lambda requirements, machine: asked.append(requirements) or given)
    assert check_wheels(lock, "linux/arm64") == 1
    assert asked == [["one==1.0"]]
    given = report("One", "d" * 64)
    with pytest.raises(WheelMissing, match=r"the wheel of One 1\.0 is none that the lock has a hash of"):
        check_wheels(lock, "linux/arm64")


def test_a_missing_wheel_is_told_from_a_missing_index() -> None:
    missing = explain("ERROR: Could not find a version\nERROR: No matching distribution found for one==1.0\n")
    assert (type(missing), str(missing)) == (WheelMissing, "No matching distribution found for one==1.0")
    silent = explain("WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No match")
    assert (type(silent), str(silent)) == (NoIndex, "no package index answers: nothing was checked")


@pytest.mark.slow
@pytest.mark.parametrize("platform", MACHINES)
def test_every_package_of_the_images_has_a_wheel(platform: str) -> None:
    """The lock with TensorFlow has all that the other has, in the same versions: test_locks.py."""
    try:
        assert check_wheels(ROOT / LOCKS["tensorflow"], platform) > 50
    except NoIndex as error:
        pytest.skip(str(error))
