"""Keys, records, and the code and the lock that are part of them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ekiben.pipeline.records import code_digest, environment
from ekiben.pipeline.records.code_digest import digest_code, find_modules
from ekiben.pipeline.records.keeping import (
    DamagedRecord,
    NoSuchRecord,
    check_outputs,
    digest_folder,
    find_work,
    keep_record,
    read_record,
    unfinished_folder,
)
from ekiben.pipeline.records.record import StepRecord, make_key
from tests.conftest import ROOT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EKIBEN_HOME", str(tmp_path))
    return tmp_path


def make_record(**changed: object) -> StepRecord:
    parts = {"code": "c", "lock": "l", "configuration": {"name": "shop"}, "options": {}, "inputs": {"source": "s"}}
    key = make_key("ingest", **parts)  # type: ignore[arg-type]
    about = {"after": None, "event": None, "began": "b", "ended": "e", "machine": "m", "outputs": {}}
    return StepRecord.model_validate({"step": "ingest", "key": key, **parts, **about, **changed})


def keep(text: str = "made") -> StepRecord:
    with unfinished_folder() as folder:
        (folder / "made.txt").write_text(text)
        return keep_record(make_record(outputs=digest_folder(folder)), folder)


def test_every_part_changes_the_key() -> None:
    parts = {"step": "train", "code": "c", "lock": "l", "configuration": {"a": 1}, "options": {}, "inputs": {"b": "d"}}
    others = {"step": "pack", "code": "", "lock": "", "configuration": {"a": 2}, "options": {"seed": 1}, "inputs": {}}
    keys = {make_key(**{**parts, name: other}) for name, other in others.items()}  # type: ignore[arg-type]
    assert len(keys | {make_key(**parts)}) == 7  # type: ignore[arg-type]


def test_a_record_is_read_as_it_was_kept(home: Path) -> None:
    record = keep()
    assert read_record(record.key) == record
    check_outputs(record)
    assert [path.name for path in (home / "data/pipeline/work").iterdir()] == [record.key]


def test_it_can_be_kept_again(home: Path) -> None:
    keep()
    record = keep("otherwise")
    check_outputs(record)
    assert (find_work(record.key) / "made.txt").read_text() == "otherwise"


def test_there_may_be_none(home: Path) -> None:
    with pytest.raises(NoSuchRecord, match="there is no record 0000"):
        read_record("0" * 64)


@pytest.mark.parametrize(
    "alter",
    [
        lambda text: text.replace('"machine": "m"', '"machine": "n"'),
        lambda text: text.replace('"lock": "l"', '"lock": "k"'),
        lambda text: text[:-20],
        lambda text: "",
    ],
)
def test_one_that_was_altered_is_damaged(alter: Callable[[str], str], home: Path) -> None:
    path = home / "data/pipeline/records" / f"{keep().key}.json"
    path.write_text(alter(path.read_text()))
    with pytest.raises(DamagedRecord, match=r"the record .* (is not as it was written|can't be read)"):
        read_record(path.stem)


def test_one_under_another_key_is_damaged(home: Path) -> None:
    path = home / "data/pipeline/records" / f"{keep().key}.json"
    shutil.copy(path, path.with_name(f"{'0' * 64}.json"))
    with pytest.raises(DamagedRecord):
        read_record("0" * 64)


@pytest.mark.parametrize(
    ("alter", "said"), [(Path.unlink, "is gone"), (lambda path: path.write_text(""), "is not what")]
)
def test_what_was_made_may_be_altered(alter: Callable[[Path], None], said: str, home: Path) -> None:
    record = keep()
    alter(find_work(record.key) / "made.txt")
    with pytest.raises(DamagedRecord, match=said):
        check_outputs(record)


def fail_half_way() -> None:
    with unfinished_folder() as folder:
        (folder / "half").write_text("m")
        raise RuntimeError


def test_what_is_not_finished_leaves_nothing(home: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list((home / "data/pipeline/work").iterdir()) == []


def test_the_code_of_a_step_is_all_that_it_imports() -> None:
    modules = find_modules("ekiben.pipeline.steps.train")
    assert {"ekiben.training.network.fit", "ekiben.contract.encoding", "ekiben.pipeline.step"} <= modules.keys()
    assert not {name for name in modules if name.startswith(("ekiben.service", "ekiben.commands", "ekiben.tests"))}
    assert "ekiben.pipeline.gates.champion" not in modules


def test_a_changed_module_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_code("ekiben.pipeline.steps.evaluate")
    for room in ("contract", "model", "monitoring", "pipeline", "training", "deploy"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code_digest, "ROOT", tmp_path)
    shutil.copy(ROOT / "__init__.py", tmp_path) if (ROOT / "__init__.py").exists() else None
    digest_code.cache_clear()
    assert digest_code("ekiben.pipeline.steps.evaluate") == before
    changed = tmp_path / "training" / "evaluate" / "binary.py"  # which is imported by what is imported
    changed.write_text(changed.read_text() + "\n")
    digest_code.cache_clear()
    assert digest_code("ekiben.pipeline.steps.evaluate") != before
    digest_code.cache_clear()


def test_the_lock_is_a_file_or_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "LOCK", tmp_path / "training.txt")
    environment.digest_lock.cache_clear()
    installed = environment.digest_lock()
    (tmp_path / "training.txt").write_text("keras==1\n")
    environment.digest_lock.cache_clear()
    locked = environment.digest_lock()
    environment.digest_lock.cache_clear()
    assert len({installed, locked}) == 2
    assert len(installed) == len(locked) == 64


@pytest.mark.parametrize(
    ("name", "is_another"),
    [("keras", True), ("tensorflow_cpu", True), ("scikit_learn", True), ("keras-tuner", False), ("pytest", False)],
)
def test_a_package_that_weights_depend_on_may_be_another_than_the_lock_says(
    name: str, is_another: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "LOCK", tmp_path / "training.txt")
    (tmp_path / "training.txt").write_text("keras==1\n")
    digests = set()
    for version in ("1.0", "1.1"):
        installed = [SimpleNamespace(metadata={"Name": name}, version=version)]
        monkeypatch.setattr(environment, "distributions", lambda found=installed: found)
        environment.digest_lock.cache_clear()
        digests.add(environment.digest_lock())
    environment.digest_lock.cache_clear()
    assert len(digests) == (2 if is_another else 1)
