"""A model's second life: its logged answers are scored as labels come, and then it is trained on them."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.tracking import MlflowClient

from ekiben.commands.__main__ import main
from ekiben.contract.encoding import Encoder
from ekiben.model.package import PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.pipeline.triggers.moment import read_now
from ekiben.pipeline.triggers.rules import find_events
from ekiben.pipeline.triggers.starting import build_lookout
from ekiben.pipeline.triggers.state import State
from ekiben.training.checks.gate import report_path
from ekiben.training.dataset.target import encode_labels
from ekiben.training.evaluate import score
from ekiben.training.problem import read_problem
from ekiben.training.retrain_config import Retrain, ScoreBound
from ekiben.training.tables.read import read_table
from tests.conftest import using_stores
from tests.row_log import later, name_rows, spread, write_labels, write_rows

NAME = "second_life"
ROWS, LABELLED = 400, 320
Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.slow


def make_table() -> pd.DataFrame:
    """A target that follows both features."""
    chance = np.random.default_rng(3)
    price, member = chance.normal(40, 10, ROWS).round(1), chance.random(ROWS) < 0.5
    won = (price - 40) / 10 + member - 0.5 + chance.normal(0, 0.5, ROWS) > 0
    cities = chance.choice(["Tehran", "Qom", "Yazd"], ROWS)
    return pd.DataFrame({"price": price, "city": cities, "member": member, "won": np.where(won, "yes", "no")})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with stores of its own, and a first version in them."""
    folder = tmp_path_factory.mktemp("life")
    make_table().to_csv(folder / "table.csv", index=False)
    with using_stores(folder):
        made = ["--target", "won", "--name", NAME, "-o", str(folder / "problem.toml")]
        assert main(["init", str(folder / "table.csv"), *made]) == 0
        text = (folder / "problem.toml").read_text()
        (folder / "problem.toml").write_text(f'slices = ["city"]\n{text}\n[fairness]\ngroups = ["city"]\n')
        assert main(["train", "--epochs", "2", "--problem", str(folder / "problem.toml")]) == 0
        yield folder
    report_path(NAME).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def model(home: Path) -> PackedModel:
    return open_stored(find_model(NAME))


@pytest.fixture(scope="module")
def logged(home: Path, model: PackedModel) -> Path:
    """The log of a service that answered the whole table, most of whose labels came."""
    frame = read_frame(home)
    features = {"price": frame["price"].astype(float), "city": frame["city"].astype(str), "member": frame["member"]}
    folder = home / "log"
    folder.mkdir()
    held = {name: pa.array(values.to_list()) for name, values in features.items()}
    write_rows(folder, answer(model, frame)[:, 0], held, target="won")
    labels = frame["won"].astype(str).to_list()[:LABELLED]
    write_labels(folder, name_rows(ROWS)[:LABELLED], labels, later(spread(ROWS)[:LABELLED], 1))
    return folder


def read_frame(home: Path) -> pd.DataFrame:
    return read_table(read_problem(home / "problem.toml"), lambda _: None).frame


def answer(model: PackedModel, frame: pd.DataFrame) -> np.ndarray:
    return model.start_engine().run(Encoder(model.schema).encode(frame))


def test_the_live_score_is_the_offline_one_to_the_digit(
    home: Path, model: PackedModel, logged: Path, capsys: Capture
) -> None:
    problem = ["--problem", str(home / "problem.toml")]
    capsys.readouterr()
    assert main(["score-live", str(logged), "--format", "json", *problem]) == 0
    live = json.loads(capsys.readouterr().out)
    frame = read_frame(home)
    labels = encode_labels(model.schema.target, frame["won"])
    assert live["whole"]["scores"] == score(model.schema.target, labels[:LABELLED], answer(model, frame)[:LABELLED])
    assert model.training_scores is not None
    assert [group["group"] for group in live["fairness"]["city"]] == sorted(
        ["Tehran", "Qom", "Yazd"], key=frame["city"].value_counts().to_dict().__getitem__, reverse=True
    )
    assert live["training"]["scores"] == model.training_scores.scores
    assert {part["name"]: part["training"] for part in live["slices"]["city"]} == model.training_scores.slices["city"]


@pytest.mark.parametrize(("bound", "asks"), [(0.2, []), (0.9999, ["score"])])
def test_a_live_score_beyond_its_bound_asks_for_a_training(
    bound: float, asks: list[str], home: Path, model: PackedModel, logged: Path
) -> None:
    rules, now = Retrain(score=ScoreBound(metric="auc", below=bound)), read_now()
    seen = build_lookout(read_problem(home / "problem.toml"), rules, [], str(logged)).look()
    assert seen.score is not None
    assert seen.score.labelled == LABELLED
    events = find_events(rules, State(since=now), seen, NAME, now)
    assert [event.reason for event in events] == asks


def test_a_log_is_the_next_training_table(home: Path, logged: Path, capsys: Capture) -> None:
    problem = ["--problem", str(home / "problem.toml")]
    capsys.readouterr()
    assert main(["train", "--epochs", "2", "--from-log", str(logged), *problem]) == 0
    printed = capsys.readouterr().out
    assert "checked 320 rows against version 1" in printed
    assert f"320 rows of the log {logged}" in printed
    assert "left out: 80 rows without a label" in printed


def test_training_compares_the_groups(model: PackedModel) -> None:
    packed = model.training_scores
    assert packed is not None
    groups = {group["group"]: group for group in packed.fairness["city"]}
    assert groups.keys() == {"Tehran", "Qom", "Yazd"}
    artifacts = MlflowClient().list_artifacts(model.manifest.run_id, "evaluation")
    assert {"evaluation/fairness_by_city.json", "evaluation/fairness_by_city.png"} <= {file.path for file in artifacts}


def test_labels_without_a_log(home: Path, capsys: Capture) -> None:
    assert main(["train", "--labels", "labels.csv", "--problem", str(home / "problem.toml")]) == 2
    assert capsys.readouterr().err == "error: --labels, --query and --force go with --from-log\n"


def test_a_folder_without_a_log(home: Path, tmp_path: Path, capsys: Capture) -> None:
    problem = ["--problem", str(home / "problem.toml")]
    for command in (["score-live", str(tmp_path)], ["train", "--from-log", str(tmp_path)]):
        assert main([*command, *problem]) == 2
        error = f"error: {tmp_path} has no rows-*.parquet: name the folder that the service logs to (LOG_FOLDER)"
        assert error in capsys.readouterr().err.splitlines()
