"""What is shipped to Spark's executors is enough, and a difference of theirs is one sentence; no Spark needed."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ekiben.deploy.spark import versions
from ekiben.deploy.spark.shipping import pack_code, pack_model
from ekiben.deploy.spark.versions import ExecutorDiffers, check_versions, read_versions
from ekiben.model.package import PackedModel, open_model

SCORE = """
import sys
sys.path = [sys.argv[1], *(path for path in sys.path if "ekiben" not in path)]
import ekiben.training.scoring.batches as batches
import ekiben.deploy.spark.versions
from ekiben.model.package import open_model
print(batches.__file__)
"""


def test_the_code_that_is_shipped_imports_by_itself(tmp_path: Path) -> None:
    code = pack_code()
    done = subprocess.run([sys.executable, "-I", "-c", SCORE, code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{code}/ekiben/training/scoring/batches.py"
    assert code.stat().st_size < 1_000_000
    assert pack_code() == code  # the same content: it is not sent twice


def test_the_code_has_no_more_rooms_than_it_needs() -> None:
    names = zipfile.ZipFile(pack_code()).namelist()
    rooms = {name.split("/")[1] for name in names if name.endswith(".py")}
    assert rooms == {"contract", "model", "training", "deploy"}
    assert not [name for name in names if "predict" in name or name.startswith("ekiben/deploy/image")]


@pytest.mark.slow
def test_a_shipped_model_is_the_one_that_was_packed(model: PackedModel, tmp_path: Path) -> None:
    archive = pack_model(model)
    zipfile.ZipFile(archive).extractall(tmp_path)
    arrived = open_model(tmp_path, model.digest)
    assert arrived.schema == model.schema
    arrived.start_engine()


@pytest.mark.parametrize(
    ("package", "found", "sentence"),
    [
        (
            "ai-edge-litert",
            "1.0.0",
            r"has ai-edge-litert 1.0.0, the driver [\d.]+, so answers may differ: give the exec",
        ),
        ("numpy", "1.26.4", r"has numpy 1.26.4, the driver [\d.]+, so answers may differ: give the executors the"),
        ("numpy", "", r"lacks numpy [\d.]+: give the executors the driver's packages, as docs/spark.md says"),
        ("orjson", "", r"lacks orjson [\d.]+: give"),
    ],
)
def test_an_executor_that_differs_says_so(
    monkeypatch: pytest.MonkeyPatch, package: str, found: str, sentence: str
) -> None:
    driver = read_versions("litert")
    check_versions(driver, "litert")
    find = versions._find_version
    monkeypatch.setattr(versions, "_find_version", lambda name: found if name == package else find(name))
    with pytest.raises(ExecutorDiffers, match=rf"executor \S+ \(.*\) {sentence}"):
        check_versions(driver, "litert")


def test_another_version_of_what_computes_nothing_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = read_versions("tensorflow")
    assert driver.keys() & {"tensorflow", "tensorflow-cpu"}
    find = versions._find_version
    monkeypatch.setattr(versions, "_find_version", lambda name: "1.0" if name == "pydantic" else find(name))
    check_versions(driver, "tensorflow")
