"""What the workers of a service publish for each other, in a folder that may be full or hold other things."""

import os
from pathlib import Path
from typing import Any

import pytest

from ekiben.contract.reference.reference import REFERENCE_FILE, Reference
from ekiben.contract.reference.snapshot import Snapshot
from ekiben.model.package import PackedModel
from ekiben.service.dataplane import Dataplane
from ekiben.service.lifecycle import exchange
from ekiben.service.monitoring import overview as module
from ekiben.service.monitoring.overview import SNAPSHOTS, Overview
from tests.doubling import MANIFEST, SCHEMA, Doubling, ask, rows, serve
from tests.waiting import wait_for

FILES = MANIFEST.files | {REFERENCE_FILE: "ab"}
KIND = f"monitoring_{SCHEMA.name}_{MANIFEST.version}"
MODEL = PackedModel(None, SCHEMA, MANIFEST.model_copy(update={"files": FILES}))  # type: ignore[arg-type]


def watch(dataplane: Dataplane) -> Overview:
    assert dataplane.monitor is not None
    return Overview(MODEL, dataplane.monitor)


def pretend_other(folder: Path, **changes: Any) -> None:
    """Rewrite what this worker published as another's, changed."""
    own = folder / f"{KIND}_{os.getpid()}.json"
    snapshots = SNAPSHOTS.validate_json(own.read_bytes())
    (folder / f"{KIND}_1.json").write_bytes(SNAPSHOTS.dump_json([rename(one, **changes) for one in snapshots]))


def rename(snapshot: Snapshot, **changes: Any) -> Snapshot:
    windows = tuple(window.model_copy(update={"source": "other"}) for window in snapshot.windows)
    return snapshot.model_copy(update={"windows": windows} | changes)


def test_what_others_published_is_added(reference: Reference, tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        overview = watch(dataplane)
        await ask(dataplane, rows(1.0, 2.0))
        overview.share(tmp_path)
        pretend_other(tmp_path)
        assert overview.snapshot("days").rows == 4

    serve(Doubling(), scenario, reference=reference)


def test_the_files_of_a_model_whose_name_begins_alike_stay(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_DEAD", 1)
    others = [tmp_path / f"{KIND}_{rest}_99999999.json" for rest in ("2", "3", "north")]
    for path in others:
        path.write_text("[]")

    async def scenario(dataplane: Dataplane) -> None:
        watch(dataplane).share(tmp_path)

    serve(Doubling(), scenario, reference=reference)
    assert all(path.exists() for path in others)


@pytest.mark.parametrize("changes", [{"reference": "cd", "version": "2"}, {"model": "another"}])
def test_a_worker_that_serves_the_next_model_is_left_out(
    reference: Reference, tmp_path: Path, changes: dict[str, str]
) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        overview = watch(dataplane)
        await ask(dataplane, rows(1.0, 2.0))
        overview.share(tmp_path)
        pretend_other(tmp_path, **changes)
        assert overview.snapshot("days").rows == 2

    serve(Doubling(), scenario, reference=reference)


def test_a_damaged_file_is_left_out(reference: Reference, tmp_path: Path) -> None:
    async def scenario(dataplane: Dataplane) -> None:
        overview = watch(dataplane)
        await ask(dataplane, rows(1.0))
        overview.share(tmp_path)
        pretend_other(tmp_path)
        other = tmp_path / f"{KIND}_1.json"
        other.write_bytes(other.read_bytes()[:-9])
        assert overview.snapshot("days").rows == 1

    serve(Doubling(), scenario, reference=reference)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_on_a_full_disk_it_counts_on_says_so_once_and_publishes_when_there_is_room(
    reference: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PUBLISH_S", 0.001)
    own = tmp_path / f"{KIND}_{os.getpid()}.json"
    unfinished = own.with_suffix(".part")
    unfinished.symlink_to("/dev/full")

    async def scenario(dataplane: Dataplane) -> None:
        overview = watch(dataplane)
        overview.share(tmp_path)
        await ask(dataplane, rows(1.0, 2.0, 3.0))
        overview.publish()
        assert overview.snapshot("days").rows == 3
        assert not own.exists()
        unfinished.unlink()
        await wait_for(lambda: own.exists())

    serve(Doubling(), scenario, reference=reference)
    (said,) = caplog.messages
    assert f"{own} can't be written (No space left on device)" in said
