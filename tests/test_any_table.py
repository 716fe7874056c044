"""One table and one target name are enough: init → train → serve → predict, for tables of many shapes."""

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest

from ekiben.contract.schema import Schema
from ekiben.model.integrity import digest_file
from ekiben.model.package import MANIFEST_FILE, open_model
from ekiben.training.__main__ import main
from ekiben.training.problem import ProblemConfig, read_problem
from ekiben.training.sources import open_source
from ekiben.training.tables.json_rows import to_rows
from ekiben.training.tables.read import read_table
from tests.conftest import serve
from tests.http_client import HTTP
from tests.tables.make import MAKERS, Made

ROWS = 64  # sent to the service and compared with the offline answers
# What a network that learned nothing would not reach on the test rows.
FLOORS = {"auc": 0.6, "accuracy": 0.8, "r2": 0.3}


def oddly_written(folder: Path) -> Made:
    """900 rows in which hardly a value is written as JSON would have it."""
    chance = np.random.default_rng(4)
    rows = 900
    amounts, minutes = chance.gamma(2, 900, rows).round(2), chance.integers(0, 1440, rows)
    days = np.datetime64("1950-01-01") + 28 * np.arange(rows)
    table = pd.DataFrame(
        {
            "amount": [f"{amount:,.2f} €".translate(str.maketrans(",.", ".,")) for amount in amounts],
            "balance": [f"({n % 900},5)" if n % 3 else f"{n % 700},25" for n in range(rows)],
            "start": [f"{minute // 60:02}:{minute % 60:02}" for minute in minutes],
            "took": [f"{n % 40}:{n % 60:02}:07" if n % 9 else "n.a." for n in range(rows)],
            "created_at": (days.astype("datetime64[s]").astype(np.int64) + 2**30).astype(str),
            "seen": [f"{day:%d/%m/%y}" for day in days.astype(object)],
            "grade": [f" {n % 5} " if n % 7 else "-" for n in range(rows)],
            "zip": [f"0{n % 9}01" for n in range(rows)],
            "weight": [f"{n % 90}.{n % 7} kg" for n in range(rows)],
            "won": np.where(amounts / 2000 + minutes / 1440 + chance.normal(0, 0.2, rows) > 1.4, " yes", "no "),
        }
    )
    table.to_csv(folder / "oddly written.csv", sep=";", index=False)
    return Made(str(folder / "oddly written.csv"), "won")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without a run: making one takes seconds, copying it none."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def project(empty_store: Path, use_stores: Callable[[Path], None], tmp_path: Path) -> Iterator[Path]:
    """A folder whose stores the commands in this process use: a process for each takes 10 s to load TensorFlow."""
    shutil.copy(empty_store, tmp_path)
    use_stores(tmp_path)
    yield tmp_path
    mlflow.keras.autolog(disable=True)  # it stays switched on after training


# Each tries what another does, or what the tests of sources and of the flights do; `python -m tests.tables` has all.
LIKE_OTHERS = ("iris", "wine", "breast_cancer", "rare", "diabetes", "by_time")
TRIED = [make for make in MAKERS if make.__name__ not in LIKE_OTHERS]


@pytest.mark.slow
@pytest.mark.parametrize("make", [*TRIED, oddly_written], ids=lambda make: make.__name__)
def test_a_table_becomes_a_service(
    make: Callable[[Path], Made], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, file, scored = make(project), project / "problem.toml", project / "scored.parquet"
    query = ["--query", made.query] if made.query else []

    assert main(["init", made.table, "--target", made.target, *query, "-o", str(file)]) == 0
    problem = read_problem(file)
    capsys.readouterr()
    assert main(["train", "--problem", str(file), "--epochs", "12"]) == 0
    check_scores(capsys.readouterr().out)
    assert main(["predict", made.table, *query, "--problem", str(file), "-o", str(scored)]) == 0

    schema, rows = sample_rows(problem, project / "bentoml")
    with serve(project, MODEL_NAME="") as server:
        answered = HTTP.post(f"{server.url}/predict", json={"rows": rows})
        cells = write_cells(problem, schema)
        invoked = HTTP.post(
            f"{server.url}/invocations", content=cells, headers={"content-type": "text/csv"}, timeout=30
        )
        page = HTTP.get(f"{server.url}/docs.json").json()
    assert answered.status_code == 200, answered.text
    assert page["components"]["schemas"]["Row"]["example"] == schema.example
    offline = parquet.read_table(scored).to_pandas().head(len(rows))
    check_answers(schema, answered.json()["predictions"], offline)
    assert invoked.status_code == 200, invoked.text
    check_answers(schema, invoked.json()["predictions"], offline)


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


def write_cells(problem: ProblemConfig, schema: Schema) -> bytes:
    """The features of the table's first rows, as its source has them, as CSV."""
    batch = next(iter(open_source(problem.source).batches(schema.names, lambda _: None)))
    output = io.BytesIO()
    csv.write_csv(batch.slice(0, ROWS), output)
    return output.getvalue()


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
