"""One table and one target name are enough: init → train → serve → predict, for tables of many shapes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest

from ekiben.contract.schema import Schema
from ekiben.model.integrity import digest_file
from ekiben.model.package import MANIFEST_FILE, open_model
from ekiben.training.problem import ProblemConfig, read_problem
from ekiben.training.tables.json_rows import to_rows
from ekiben.training.tables.read import read_table
from tests.conftest import run, serve
from tests.tables.make import MAKERS, Made

ROWS = 64  # sent to the service and compared with the offline answers
# What a network that learned nothing would not reach on the test rows.
FLOORS = {"auc": 0.6, "accuracy": 0.8, "r2": 0.3}


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_table_becomes_a_service(
    make: Callable[[Path], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "bentoml").mkdir()
    made, file, scored = make(tmp_path), tmp_path / "problem.toml", tmp_path / "scored.parquet"
    query = ["--query", made.query] if made.query else []

    run("-m", "ekiben.training", "init", made.table, "--target", made.target, *query, "-o", str(file))
    problem = read_problem(file)
    output = run("-m", "ekiben.training", "train", "--problem", str(file), "--epochs", "12").stdout
    run("-m", "ekiben.training", "predict", made.table, *query, "--problem", str(file), "-o", str(scored))

    check_scores(output)
    schema, rows = sample_rows(problem, tmp_path / "bentoml")
    with serve(tmp_path, MODEL_NAME="") as server:
        answered = httpx.post(f"{server.url}/predict", json={"rows": rows}, timeout=30)
        page = httpx.get(f"{server.url}/docs.json").json()
    assert answered.status_code == 200, answered.text
    assert page["components"]["schemas"]["Row"]["example"] == schema.example
    offline = parquet.read_table(scored).to_pandas().head(len(rows))
    check_answers(schema, answered.json()["predictions"], offline)


def check_scores(output: str) -> None:
    found = {line.split()[0]: float(line.split()[1]) for line in output.splitlines() if line.startswith("  ")}
    metric = next(name for name in FLOORS if name in found)
    assert found[metric] > FLOORS[metric], output


def sample_rows(problem: ProblemConfig, home: Path) -> tuple[Schema, list[dict[str, Any]]]:
    """The packed model's schema, and the table's first rows as a caller would send them."""
    stored = home / "models" / problem.name / (home / "models" / problem.name / "latest").read_text()
    schema = open_model(stored, digest_file(stored / MANIFEST_FILE)).schema
    frame = read_table(problem, lambda _: None).frame
    return schema, to_rows(schema, frame.head(ROWS))


def check_answers(schema: Schema, predictions: list[dict[str, Any]], offline: pd.DataFrame) -> None:
    """The service's answers are the offline ones to the bit, and labels are of the classes' own type."""
    for name in ("probability", "value", "low", "high"):
        if name in predictions[0]:
            given = np.array([prediction[name] for prediction in predictions])
            assert np.array_equal(given, offline[f"prediction.{name}"].to_numpy())
    if schema.target.task == "regression":
        return
    labels = [prediction["label"] for prediction in predictions]
    assert labels == offline["prediction.label"].tolist()
    assert set(map(type, labels)) == {type(schema.target.classes[0])}
    assert set(labels) <= set(schema.target.classes)
