"""What decides a step besides the steps before it: the image's files, and the log's rows."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ekiben.pipeline.step import Given
from ekiben.pipeline.steps import image, ingest
from ekiben.training.problem import ProblemConfig
from tests.conftest import ROOT


def give(**pipeline: Any) -> Given:
    described = {
        "name": "shop", "source": {"path": "shop.csv"}, "target": {"name": "late", "task": "binary"},
        "features": {"size": {"kind": "number"}}, "pipeline": pipeline,
    }  # fmt: skip
    return Given(ProblemConfig.model_validate(described))


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that an image could be built of."""
    for room in ("contract", "model", "service", "deploy", "requirements", "training"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "bentofile.yaml", tmp_path)
    monkeypatch.setattr(image, "BENTOFILE", tmp_path / "bentofile.yaml")
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "is_another"),
    [
        ("bentofile.yaml", True),
        ("service/service.py", True),
        ("contract/comparison/judgement.py", True),
        ("deploy/image/Dockerfile.j2", True),
        ("requirements/service.txt", True),
        ("requirements/training.txt", False),
        ("training/problem.py", False),
    ],
)
def test_an_image_is_another_if_what_goes_into_it_is(changed: str, is_another: bool, sources: Path) -> None:
    before = image.find_inputs(give(image=True))
    path = sources / changed
    path.write_text(path.read_text() + "\n")
    assert (image.find_inputs(give(image=True)) != before) == is_another
    assert image.find_inputs(give()) == {}


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of two parts."""
    monkeypatch.setattr(ingest, "find_champion_inputs", lambda name: {"champion": "1"})
    for name in ("rows-1-a.parquet", "labels-b.parquet"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_another"),
    [("rows-1-c.parquet", True), ("labels-c.parquet", True), (".rows-1-c.parquet.unfinished", False)],
)
def test_only_whole_parts_of_a_log_count(name: str, is_another: bool, log: Path) -> None:
    before = ingest.find_inputs(give(log=str(log)))
    (log / name).write_bytes(b"new")
    assert (ingest.find_inputs(give(log=str(log))) != before) == is_another


def test_a_part_that_vanishes_meanwhile_is_left_out(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, digest = ingest.find_inputs(give(log=str(log))), ingest.digest_file

    def remove_first(path: Path) -> str:
        if path.name.startswith("rows-"):
            path.unlink()
        return digest(path)

    monkeypatch.setattr(ingest, "digest_file", remove_first)
    found = ingest.find_inputs(give(log=str(log)))
    assert found != whole
    assert found == ingest.find_inputs(give(log=str(log)))  # as without it


def test_another_champion_or_day_gives_other_rows_of_a_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ingest.find_inputs(give(log=str(log)))
    assert before["day"] <= datetime.now(UTC).date().isoformat()
    monkeypatch.setattr(ingest, "find_champion_inputs", lambda name: {"champion": "2"})
    after = ingest.find_inputs(give(log=str(log)))
    assert (before["champion"], after["champion"]) == ("1", "2")
    assert before["source"] == after["source"]
    assert set(ingest.find_inputs(give())) == {"source"}
