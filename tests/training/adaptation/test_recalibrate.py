"""`ekiben recalibrate` from a log to a new champion, whose bounds moved in every form; and what stands in its way."""

import json
import re
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient
from pyarrow import parquet as pq

from ekiben.commands.__main__ import main
from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoder
from ekiben.model.store import find_model, open_stored
from ekiben.training.adaptation.versions import MARGIN_TAG
from ekiben.training.registry.patch_keeping import PATCH_FILE
from tests.conftest import using_stores
from tests.repository import begin_repository
from tests.row_log import MONDAY, later, write_labels, write_rows

NAME = "prices"
ROWS, LOGGED = 2000, 2800
CHANGED = 250.0  # the spread of prices since; few epochs leave intervals of some 300, which then hold less than half
Capsys = pytest.CaptureFixture[str]
pytestmark = pytest.mark.slow


def make_table(rows: int, spread: float, seed: int) -> pd.DataFrame:
    """A price that follows the size, with errors of this spread."""
    random = np.random.default_rng(seed)
    size = random.uniform(10, 200, rows).round(1)
    return pd.DataFrame(
        {
            "size": size,
            "city": random.choice(["Qom", "Yazd"], rows),
            "sold": [
                f"{MONDAY - timedelta(days=700) + timedelta(hours=7 * row):%Y-%m-%d %H:%M}" for row in range(rows)
            ],
            "price": (3 * size + random.normal(0, spread, rows)).round(2),
        }
    )


@dataclass(frozen=True)
class Home:
    """A folder with a problem, its stores, and a log."""

    folder: Path

    @property
    def problem(self) -> str:
        return str(self.folder / "problem.toml")

    def recalibrate(self, *options: str, log: Path | None = None, code: int = 0) -> None:
        folder = str(log or self.folder / "log")
        assert main(["recalibrate", folder, "--problem", self.problem, *options]) == code


def answer(version: str, table: pd.DataFrame) -> Answers:
    packed = open_stored(find_model(NAME, version))
    rows = json.loads(table.drop(columns="price").to_json(orient="records"))
    return packed.start_engine().run(Encoder(packed.schema).encode_rows(rows))


def log_answers(folder: Path, version: str, table: pd.DataFrame, first_day: int, number: int) -> None:
    """Write answers of four weeks from a day on, and the labels that came a day later."""
    folder.mkdir(exist_ok=True)
    answers, rows = answer(version, table), len(table)
    times = [MONDAY + timedelta(days=first_day) + timedelta(days=28) * index / rows for index in range(rows)]
    ids = [f"{number}-{index}" for index in range(rows)]
    write_rows(
        folder, answers[:, 0], ids=ids, times=times, version=version, target="price", number=number,
        bounds=answers[:, 1:],
    )  # fmt: skip
    write_labels(folder, ids, table["price"].tolist(), later(times, 1), number=number)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A trained version whose errors have since become twice as large, of a repository whose files were changed."""
    folder = tmp_path_factory.mktemp("prices")
    make_table(ROWS, 20.0, 0).to_csv(folder / "table.csv", index=False)
    with using_stores(folder):
        made = ["--target", "price", "--name", NAME, "--time", "sold", "-o", str(folder / "problem.toml")]
        assert main(["init", str(folder / "table.csv"), *made]) == 0
        begin_repository(folder)
        with (problem := folder / "problem.toml").open("a") as file:
            file.write("# another line\n")
        with chdir(folder):  # whose repository the run records
            assert main(["train", "--epochs", "3", "--problem", str(problem)]) == 0
        log_answers(folder / "log", "1", make_table(LOGGED, CHANGED, 1), 0, 0)
        yield Home(folder)


@pytest.fixture(scope="module")
def recalibrated(home: Home) -> Home:
    """The same with version 2, the champion."""
    home.recalibrate("--promote")
    return home


def test_training_leaves_how_often_intervals_held_by_period(home: Home) -> None:
    packed = open_stored(find_model(NAME, "1"))
    scores = packed.training_scores
    assert scores is not None
    assert sum(part.rows for part in scores.coverage) == scores.rows
    assert "Do intervals hold over time?" in (packed.path / "report.html").read_text()
    assert f"Intervals by {scores.coverage_by}" in (packed.path / "card.html").read_text()
    logged = {one.path for one in MlflowClient().list_artifacts(packed.manifest.run_id, "evaluation")}
    assert {f"evaluation/coverage_by_period.{kind}" for kind in ("json", "png")} <= logged


def test_a_report_changes_nothing(home: Home, capsys: Capsys, tmp_path: Path) -> None:
    home.recalibrate()
    text = capsys.readouterr().out
    assert "2,800 labels of answers by the network of version 1" in text
    (missed, renewed) = map(float, re.findall(r"missed by ([\d.]+)% on average over 4 weeks; .* by ([\d.]+)%", text)[0])
    assert missed > 15
    assert renewed < missed / 2  # of the first week nobody knew
    assert "bounds are to lie +" in text
    home.recalibrate("--format", "json", "--by", "day", "-o", str(tmp_path / "report.json"))
    known = json.loads((tmp_path / "report.json").read_text())
    assert known["objection"] is None
    assert len(known["replayed"]["periods"]) == 28
    home.recalibrate("--format", "html", "-o", str(tmp_path / "report.html"))
    assert "<script" not in (tmp_path / "report.html").read_text()
    assert len(MlflowClient().search_model_versions(f"name = '{NAME}'")) == 1


def test_every_form_of_the_new_version_has_the_bounds_moved(recalibrated: Home) -> None:
    table = make_table(300, CHANGED, 2)
    before, after = answer("1", table), answer("2", table)
    (margin,) = [float(one.tags[MARGIN_TAG]) for one in find_versions() if str(one.version) == "2"]
    assert margin > 10
    assert (after[:, 0] == before[:, 0]).all()
    rounded = {"rel": 1e-5, "abs": 1e-4}  # float32 of hundreds; a bound may lie near 0
    assert after[:, 1] == pytest.approx(np.minimum(before[:, 0], before[:, 1] - margin), **rounded)
    assert after[:, 2] == pytest.approx(np.maximum(before[:, 0], before[:, 2] + margin), **rounded)
    sold = pd.to_datetime(table["sold"])
    asked = table.drop(columns="price").assign(sold=sold)
    logged = mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict(asked, params={"all_outputs": True})
    assert logged.to_numpy() == pytest.approx(after, **rounded)
    held = ((after[:, 1] <= table["price"]) & (table["price"] <= after[:, 2])).mean()
    assert held == pytest.approx(0.8, abs=0.07)
    assert open_stored(find_model(NAME)).version == "2"


def test_what_is_said_of_the_new_version(recalibrated: Home, capsys: Capsys) -> None:
    packed = open_stored(find_model(NAME, "2"))
    scores = packed.training_scores
    assert scores is not None
    assert "interval_coverage" not in scores.scores
    assert "version 1's; its bounds were moved apart by +" in scores.intervals
    assert scores.intervals in (packed.path / "card.html").read_text().replace("&#x27;", "'")
    assert main(["lineage", "2", "--problem", recalibrated.problem]) == 0
    lines = capsys.readouterr().out
    assert "the network of version 1, its bounds moved apart by" in lines
    assert f"with {PATCH_FILE}" in lines
    assert packed.background is not None
    assert main(["train", "--from-provenance", str(packed.path / "provenance.json")]) == 2
    assert "name the provenance.json of version 1, which was trained" in capsys.readouterr().err


def test_the_new_versions_rows_count_with_those_of_before(recalibrated: Home, tmp_path: Path, capsys: Capsys) -> None:
    log_answers(tmp_path / "log", "1", make_table(LOGGED, CHANGED, 1), 0, 0)
    log_answers(tmp_path / "log", "2", make_table(LOGGED, CHANGED, 3), 28, 1)
    log_answers(tmp_path / "other", "1", make_table(700, CHANGED, 4), 0, 2)
    for path in (tmp_path / "other").iterdir():  # of a version that the registry does not know
        table = pq.read_table(path)
        if "version" in table.column_names:
            names = pa.array(["9"] * len(table))
            table = table.set_column(table.column_names.index("version"), "version", names)
        pq.write_table(table, tmp_path / "log" / path.name)
    recalibrated.recalibrate("--format", "json", log=tmp_path / "log")
    known = json.loads(capsys.readouterr().out)
    assert (known["champion"], known["trained"]) == ("2", "1")
    assert known["replayed"]["labels"] == 2 * LOGGED
    periods = known["replayed"]["periods"]
    assert [one["answered"]["share"] for one in periods[4:]] == pytest.approx([0.8] * 4, abs=0.06)
    assert abs(known["replayed"]["margin"] - known["margin"]) < 0.2 * known["margin"]
    assert "700 labelled rows of other networks (versions 9) left out" in known["notes"]


def test_the_same_margin_again_makes_no_version(recalibrated: Home, capsys: Capsys) -> None:
    recalibrated.recalibrate("--register", code=2)
    said = capsys.readouterr().err
    assert "no version is made: the margin would change by less than 1% of the intervals' width" in said


def test_what_can_not_be_said_or_made_is_one_sentence(home: Home, tmp_path: Path, capsys: Capsys) -> None:
    few = tmp_path / "few"
    log_answers(few, "1", make_table(200, CHANGED, 5), 0, 0)
    home.recalibrate("--register", log=few, code=2)
    assert "200 labels are too few to move intervals by: wait for 500" in capsys.readouterr().err
    old = tmp_path / "old"
    old.mkdir()
    write_rows(old, np.ones(40), target="price")
    home.recalibrate(log=old, code=2)
    assert "no labelled row of the log has an interval of the champion's network" in capsys.readouterr().err
    home.recalibrate(log=tmp_path / "nowhere", code=2)
    assert "can't be listed" in capsys.readouterr().err
    home.recalibrate("-o", str(tmp_path), code=2)
    assert "can't be written" in capsys.readouterr().err


def test_a_tag_that_is_not_a_number(home: Home, capsys: Capsys) -> None:
    client = MlflowClient()
    before = client.get_model_version(NAME, "1").tags.get(MARGIN_TAG)
    client.set_model_version_tag(NAME, "1", MARGIN_TAG, "wide")
    home.recalibrate(code=2)
    assert "has the tag interval_margin = 'wide' in the registry, which is not a number" in capsys.readouterr().err
    client.delete_model_version_tag(NAME, "1", MARGIN_TAG)
    assert before is None


def test_a_network_that_is_gone(home: Home, capsys: Capsys, tmp_path: Path) -> None:
    files = list((home.folder / "artifacts").glob("**/data/model.keras"))
    kept = {file: file.rename(tmp_path / f"{number}.keras") for number, file in enumerate(files)}
    try:
        worse = tmp_path / "worse"
        log_answers(worse, "1", make_table(LOGGED, 3 * CHANGED, 6), 0, 0)
        home.recalibrate("--register", log=worse, code=2)
        assert "the Keras model of version 1 of prices is gone from MLflow" in capsys.readouterr().err
    finally:
        for file, moved in kept.items():
            moved.rename(file)


def find_versions() -> list[ModelVersion]:
    return list(MlflowClient().search_model_versions(f"name = '{NAME}'"))
