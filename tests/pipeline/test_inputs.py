"""What decides a step besides the steps before it: the image's files, and the log's rows."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ekiben.pipeline.step import Given
from ekiben.pipeline.steps import image
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
