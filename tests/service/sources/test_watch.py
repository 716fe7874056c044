"""A version is fetched when the alias moves; whatever else a registry does, what is served stays."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ekiben.contract.errors import InvalidModel
from ekiben.model.integrity import digest_file
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, MANIFEST_FILE, SCHEMA_FILE, open_model
from ekiben.service.errors import BadRequest
from ekiben.service.settings import Settings
from ekiben.service.sources import cache, registry, watch
from ekiben.service.sources.access import read_access
from ekiben.service.sources.address import parse_source
from ekiben.service.sources.cache import Cache
from ekiben.service.sources.hints import Hints
from ekiben.service.sources.registry import Registry
from ekiben.service.sources.watch import RegistryWatch, watch_registry
from tests.every_kind import SCHEMA
from tests.service.sources.lying_registry import LyingRegistry, running
from tests.service.sources.packed import SOURCE, write_packed
from tests.small_disk import small_disk
from tests.waiting import wait_for


@pytest.fixture
def lying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LyingRegistry]:
    """A registry that has version 3 of a model, and that this process is told of."""
    digest = write_packed(tmp_path / "package")
    for name in ("REGISTRY_URI", "TRACKING_USERNAME", "TRACKING_PASSWORD", "TRACKING_TOKEN"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "home"))
    with running(tmp_path / "package", digest) as registry:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.url)
        yield registry


class Taken:
    """What was handed over, as the service would take it."""

    def __init__(self, *rejections: Exception) -> None:
        self.versions: list[str] = []
        self.folders: list[Path] = []
        self._rejections = list(rejections)

    async def take(self, folder: Path, digest: str) -> None:
        if self._rejections:
            raise self._rejections.pop(0)
        self.versions.append(open_model(folder, digest).version)
        self.folders.append(folder)


def look(taken: Taken, times: int = 1, served: str = "", between: Callable[[], None] = lambda: None) -> None:
    """Look at the registry that the environment names so many times."""

    async def scenario() -> None:
        registry = Registry(read_access(os.environ), parse_source(SOURCE))
        kept = Cache(registry)
        watching = RegistryWatch(registry, kept, Hints(kept.folder), taken.take, served)
        for _ in range(times):
            await watching.look()
            between()
        await registry.close()

    asyncio.run(scenario())


def test_what_the_alias_names_is_fetched_once(lying: LyingRegistry) -> None:
    taken = Taken()
    look(taken, times=3)
    assert taken.versions == ["3"]
    assert lying.asked.count("/get-artifact") == 1 + len(lying.manifest["files"])
    look(again := Taken())
    assert again.versions == ["3"]  # of another process: what is kept is as it was packed, and is not fetched again
    assert lying.asked.count("/get-artifact") == 1 + len(lying.manifest["files"])


def test_what_is_served_already_is_not_fetched(lying: LyingRegistry) -> None:
    taken = Taken()
    look(taken, served=lying.digest)
    assert (taken.versions, lying.asked.count("/get-artifact")) == ([], 0)


def test_the_next_version_is_handed_over_and_the_one_before_again(lying: LyingRegistry, tmp_path: Path) -> None:
    taken = Taken()

    def move() -> None:
        version = "4" if lying.manifest["version"] == "3" else "3"
        lying.digest = write_packed(tmp_path / "package", version)

    look(taken, times=3, between=move)
    assert taken.versions == ["3", "4", "3"]


def test_a_kept_version_that_was_harmed_is_fetched_again(lying: LyingRegistry) -> None:
    taken = Taken()
    look(taken)
    (taken.folders[0] / LITERT_FILE).write_bytes(b"harmed")
    look(again := Taken())
    assert again.versions == ["3"]


@pytest.mark.parametrize("rejection", [InvalidModel("no golden answer"), BadRequest(409, "callers can't call it")])
def test_a_version_that_is_rejected_is_not_handed_over_again(
    lying: LyingRegistry, tmp_path: Path, rejection: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    taken = Taken(rejection)
    look(taken, times=3)
    assert taken.versions == []
    assert [record.getMessage() for record in caplog.records] == [f"version 3 of {SOURCE} is rejected: {rejection}"]
    lying.digest = write_packed(tmp_path / "package", "4")
    look(taken)
    assert taken.versions == ["4"]


def test_a_service_that_is_too_busy_gets_it_the_next_time(lying: LyingRegistry) -> None:
    taken = Taken(RuntimeError("busy"))
    look(taken, times=2)
    assert taken.versions == ["3"]


def hang(lying: LyingRegistry) -> None:
    lying.hang = threading.Event()


def end_never(lying: LyingRegistry) -> None:
    lying.endless = LITERT_FILE


def name_files(lying: LyingRegistry, *names: str) -> None:
    lying.digest = write_packed(lying.folder, "3", **dict.fromkeys(names, "0" * 64))


def give_other(lying: LyingRegistry, file: str) -> None:
    lying.files[file] = b"other"


def change_manifest(lying: LyingRegistry, **changes: object) -> None:
    path = lying.folder / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    lying.digest = digest_file(path)


LIES: dict[str, tuple[Callable[[LyingRegistry], None], str]] = {
    "hangs": (hang, "did not answer within"),
    "fails": (lambda lying: setattr(lying, "status", 500), "answers with status 500"),
    "asks for a login": (lambda lying: setattr(lying, "status", 401), "lets us not in (401): check the login"),
    "leads elsewhere": (lambda lying: setattr(lying, "status", 302), "leads elsewhere (302)"),
    "has no alias": (lambda lying: setattr(lying, "status", 404), f"has no {SOURCE}: promote a version"),
    "answers a page": (lambda lying: setattr(lying, "body", b"<html>"), "answers what is no model version"),
    "answers much": (lambda lying: setattr(lying, "body", bytes(2**20 + 1)), "sends more than 1048576 bytes"),
    "another name": (lambda lying: setattr(lying, "name", "other"), f"names a version of 'other' for {SOURCE}"),
    "no digest": (lambda lying: setattr(lying, "digest", ""), "has no usable tag `manifest_digest` at version 3"),
    "a path as digest": (lambda lying: setattr(lying, "digest", "../../up"), "has no usable tag"),
    "another manifest": (lambda lying: give_other(lying, MANIFEST_FILE), "gives another manifest"),
    "another file": (lambda lying: give_other(lying, SCHEMA_FILE), "gives another schema.json than version 3"),
    "a lost file": (lambda lying: (lying.folder / GOLDEN_FILE).unlink(), "has lost package/golden.json"),
    "a file outside": (lambda lying: name_files(lying, "../../outside"), "has no readable manifest"),
    "an absolute file": (lambda lying: name_files(lying, "/tmp/outside"), "has no readable manifest"),
    "a file that is a folder": (lambda lying: name_files(lying, "saved_model"), "can't be kept in"),
    "a name with NUL": (lambda lying: name_files(lying, "a\0b"), "can't be kept in"),
    "thousands of files": (lambda lying: name_files(lying, *map(str, range(1001))), "names 1005 files"),
    "another problem": (lambda lying: change_manifest(lying, name="other"), "the package of version 3 of `other` for"),
    "another version": (lambda lying: change_manifest(lying, run_id="r"), "gives the package of version 3 of"),
    "an endless file": (end_never, "sends more of"),
    "packed files": (lambda lying: lying.headers.update({"Content-Encoding": "gzip"}), "packs what was asked for"),
    "is away": (lambda lying: None, "does not answer ("),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_whatever_it_says_nothing_is_handed_over(
    lying: LyingRegistry, lie: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(registry, "ANSWER_S", 0.5)
    monkeypatch.setattr(cache, "MAX_PACKAGE_BYTES", 8 * 2**20)
    tell, words = LIES[lie]
    tell(lying)
    if lie == "is away":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    taken = Taken()
    look(taken, times=2)
    assert taken.versions == []
    (said,) = [record.getMessage() for record in caplog.records]  # once
    assert words in said
    assert said.endswith("; what is served stays")
    kept = list((tmp_path / "home").rglob("*"))
    assert [path for path in kept if path.is_file()] == []  # nor is a part of it left
    assert not (tmp_path / "outside").exists()


def test_when_the_trouble_is_over_it_goes_on(lying: LyingRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bentoml.service")
    taken = Taken()
    lying.status = 500
    look(taken, times=3, between=lambda: setattr(lying, "status", 200))
    assert taken.versions == ["3"]
    assert [record.getMessage() for record in caplog.records][1:] == [f"{SOURCE} can be looked up again"]


def test_a_full_disk_leaves_nothing(
    lying: LyingRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path / "disk", 2**20) as disk:
        monkeypatch.setenv("BENTOML_HOME", str(disk))
        taken = Taken()
        look(taken)
        assert taken.versions == []
        assert [path for path in disk.rglob("*") if path.is_file()] == []
    (said,) = [record.getMessage() for record in caplog.records]
    assert "make room" in said


def test_many_versions_take_bounded_room(lying: LyingRegistry, tmp_path: Path) -> None:
    numbers = iter(range(4, 40))
    taken = Taken()
    look(
        taken,
        times=12,
        between=lambda: setattr(lying, "digest", write_packed(tmp_path / "package", str(next(numbers)))),
    )
    assert len(taken.versions) == 12
    kept = [path for path in (tmp_path / "home" / cache.FOLDER / SCHEMA.name).iterdir() if path.is_dir()]
    assert len(kept) == cache.KEPT
    assert taken.folders[-1] in kept


def test_what_another_worker_removes_meanwhile_is_no_trouble_with_the_disk(
    lying: LyingRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    look(taken := Taken())
    gone = tmp_path / "home" / cache.FOLDER / SCHEMA.name / "2-0000"
    gone.mkdir()
    is_dir = Path.is_dir

    def lose(path: Path) -> bool:
        found = is_dir(path)
        if path == gone and found:
            gone.rmdir()
        return found

    monkeypatch.setattr(Path, "is_dir", lose)
    look(taken)
    assert (taken.versions, caplog.messages, gone.exists()) == (["3", "3"], [], False)


def test_a_version_is_young_while_it_is_looked_at(lying: LyingRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or another worker that makes room could remove it."""
    look(taken := Taken())
    os.utime(taken.folders[0], (0, 0))
    times: list[float] = []
    opens = cache.open_model_gently

    async def note(path: Path, digest: str) -> object:
        times.append(path.stat().st_mtime)
        return await opens(path, digest)

    monkeypatch.setattr(cache, "open_model_gently", note)
    look(taken)
    assert times[0] > 0


def test_a_hint_makes_it_look_at_once_and_what_was_found_is_told_to_others(
    lying: LyingRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(model_source=SOURCE, registry_poll_s=3600)

    async def scenario() -> None:
        first, second = Taken(), Taken()
        hints = Hints(tmp_path / "home" / cache.FOLDER / SCHEMA.name)
        watching = [
            asyncio.ensure_future(watch_registry(settings, first.take, hints=hints)),
            asyncio.ensure_future(watch_registry(settings, second.take)),  # of another worker
        ]
        await wait_for(lambda: first.versions == second.versions == ["3"])
        lying.digest = write_packed(tmp_path / "package", "4")
        hints.give()
        await wait_for(lambda: first.versions == second.versions == ["3", "4"])
        for one in watching:
            one.cancel()

    asyncio.run(scenario())


def test_after_failures_it_asks_less_often(monkeypatch: pytest.MonkeyPatch, lying: LyingRegistry) -> None:
    waits: list[float] = []
    lying.status = 500

    async def wait(self: Hints, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            raise asyncio.CancelledError

    monkeypatch.setattr(watch, "JITTER", 0.0)
    monkeypatch.setattr(Hints, "wait", wait)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch_registry(Settings(model_source=SOURCE), Taken().take))
    assert waits == [60, 120, 240, 480, 600, 600, 600, 600]


def test_the_login_is_mlflows(lying: LyingRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    look(Taken())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", lying.url.replace("//", "//user:p%40ss@"))
    look(Taken(), served=lying.digest)
    assert lying.authorizations[0] == "Bearer t0ken"
    assert lying.authorizations[-1] == "Basic dXNlcjpwQHNz"
