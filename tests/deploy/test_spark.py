"""Scoring on a real Spark of two threads: as DataFrames, in SQL and as a stream, equal to `predict` to the bit.

`make spark` makes the environment; the tests are skipped without it, and without Java. All runs in one session.
"""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from ekiben.model.package import PackedModel
from ekiben.training.predict import predict
from ekiben.training.source_config import FileSource
from tests.conftest import ROOT
from tests.deploy.spark_jobs import JOBS, list_examples

PYTHON = ROOT / ".venv-spark" / "bin" / "python"
JAVA = 17
TIMEOUT_S = 1800  # of a busy machine: a JVM alone took 200 s there


def find_java() -> int:
    """Return the version of Java that is on the path, 0 if none is."""
    if not shutil.which("java"):
        return 0
    said = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else 0


INSTALLED = (PYTHON.parent.parent / "installed").exists()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not INSTALLED, reason="there is no PySpark: `make spark` installs it"),
    pytest.mark.skipif(
        INSTALLED and find_java() < JAVA, reason=f"Spark needs Java {JAVA}: apt-get install openjdk-{JAVA}-jre-headless"
    ),
]
DEFAULTS = """
spark.master local[2]
spark.ui.enabled false
spark.driver.host 127.0.0.1
spark.driver.bindAddress 127.0.0.1
spark.sql.shuffle.partitions 2
spark.sql.session.timeZone America/New_York
"""
Results = Mapping[str, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the jobs read."""
    folder = tmp_path_factory.mktemp("spark")
    table = make_table(model)
    pq.write_table(table, folder / "flights.parquet")
    csv.write_csv(table, folder / "flights.csv")
    pq.write_table(table.drop_columns(["distance"]), folder / "absent.parquet")
    (folder / "incoming").mkdir()
    pq.write_table(table.slice(0, 100), folder / "incoming" / "first.parquet")
    pq.write_table(table.slice(100), folder / "later.parquet")
    with zipfile.ZipFile(folder / "other.zip", "w") as archive:
        archive.writestr("ai_edge_litert-1.0.0.dist-info/METADATA", "Name: ai-edge-litert\nVersion: 1.0.0\n")
    (folder / "conf").mkdir()
    (folder / "conf" / "spark-defaults.conf").write_text(DEFAULTS)
    (folder / "jobs.json").write_text(json.dumps(JOBS))
    return folder


def make_table(model: PackedModel) -> pa.Table:
    """Held-out flights with naive local times, and two rows that don't fit."""
    rows = model.load_golden().rows
    rows = [*rows, rows[0] | {"distance": -1}, rows[0] | {"carrier": None}]
    times = [datetime.fromisoformat(row["scheduled_departure"]) for row in rows]
    table = pa.Table.from_pylist([{"id": index, **row} for index, row in enumerate(rows)])
    index = table.schema.names.index("scheduled_departure")
    return table.set_column(index, "scheduled_departure", pa.array(times, pa.timestamp("us")))


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    """What each job printed, and how it ended."""
    variables = {"SPARK_CONF_DIR": str(folder / "conf"), "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": ""}
    done = subprocess.run(
        [PYTHON, ROOT / "tests" / "deploy" / "spark_session.py"],
        cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: Results = json.loads((folder / "results.json").read_text())
    return found


@pytest.fixture(scope="module")
def expected(model: PackedModel, folder: Path) -> pa.Table:
    """What `predict` writes."""
    predict(model, FileSource(path=folder / "flights.parquet"), folder / "predicted.parquet")
    return select(pq.read_table(folder / "predicted.parquet"))


def select(table: pa.Table) -> pa.Table:
    """Return the predictions by id, nothing else."""
    return table.select(["id", *(name for name in table.schema.names if name.startswith("prediction."))]).sort_by("id")


def read(folder: Path) -> pa.Table:
    table = pyarrow.dataset.dataset(folder, exclude_invalid_files=True).to_table()
    index = table.schema.names.index("id")
    return select(table.set_column(index, "id", pc.cast(table["id"], pa.int64())).flatten())


def test_every_example_of_the_page_does_what_it_shows(results: Results) -> None:
    for name, job in list_examples().items():
        assert results[name]["code"] in (0, 1), results[name]["errors"]
        assert results[name]["printed"].strip() == job.get("shown", "# ").removeprefix("# ").strip(), name


@pytest.mark.parametrize("written", ["scored", "from_sql", "from_csv", "streamed"])
def test_its_answers_are_those_of_predict_to_the_bit(
    results: Results, folder: Path, expected: pa.Table, written: str
) -> None:
    found = read(folder / written)
    if written == "from_csv":  # whose numbers are strings: a problem shows them as they are written
        found, expected = found.drop_columns(["prediction.problem"]), expected.drop_columns(["prediction.problem"])
    assert found.num_rows == expected.num_rows
    assert found.equals(expected.cast(found.schema))


def test_the_command_says_how_many_rows_have_none(results: Results, expected: pa.Table) -> None:
    (scored, *_) = [name for name, job in JOBS.items() if job.get("arguments", [""])[-1] == "scored"]
    said = f"{expected.num_rows:,} rows; 2 don't fit the schema and have no prediction\n"
    assert (results[scored]["code"], results[scored]["errors"]) == (1, said)


def test_a_stream_scores_only_what_is_new(results: Results, folder: Path, expected: pa.Table) -> None:
    assert results["again"]["code"] == 0, results["again"]["errors"]
    assert read(folder / "streamed")["id"].to_pylist() == list(range(expected.num_rows))


def test_executors_import_what_was_shipped_and_nothing_heavy(results: Results) -> None:
    assert results["modules"]["code"] == 0, results["modules"]["errors"]
    seen = json.loads(results["modules"]["printed"])
    assert not {"mlflow", "tensorflow", "keras", "bentoml", "duckdb", "sqlalchemy"} & set(seen["found"].split(","))
    assert re.search(r"/ekiben-[0-9a-f]{16}\.zip/ekiben/contract/encoding.py$", seen["where"])


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        ("absent", "error: the table has no column `distance`; it has: id, scheduled_departure, carrier, "),
        ("no model", "error: `nobody` is neither a folder nor a model in "),
        ("no table", "error: Path does not exist: file:"),
        ("there", "error: scored is there already: name another folder, or remove it"),
    ],
)
def test_what_is_wrong_is_one_sentence(results: Results, folder: Path, job: str, sentence: str) -> None:
    assert results[job]["code"] == 2
    assert results[job]["errors"].startswith(sentence)
    assert results[job]["errors"].count("\n") == 1
    assert not (folder / "nothing").exists()


@pytest.mark.parametrize(
    ("job", "sentence"),
    [
        ("absent in SQL", "the table has no column `scheduled_departure`; it has: id, distance"),
        (
            "zoned",
            "`scheduled_departure` is a TIMESTAMP, a moment with a zone, and the model has naive local time: cast",
        ),
        ("taken", "the table has a column `prediction`, as the one that is added: rename it"),
        ("other versions", "has ai-edge-litert 1.0.0, the driver 2.3.0, so answers may differ: give the executors the"),
    ],
)
def test_what_is_wrong_in_python_is_a_sentence(results: Results, job: str, sentence: str) -> None:
    assert sentence in results[job]["code"]
