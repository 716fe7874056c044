"""The logged model as MLflow's own tools use it: tables in, labels and values out, also to `mlflow.models.evaluate`."""

import datetime
import json
import warnings
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc.scoring_server import infer_and_parse_data

from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target
from ekiben.training.network.raw_inputs import build_raw_model
from ekiben.training.registry.table_flavor import TableFlavor, model_signature

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),  # MLflow of its own module
    pytest.mark.filterwarnings("ignore:Precision is ill-defined"),  # some class is never answered
    pytest.mark.filterwarnings("ignore:When providing `inputs` as a dict"),  # the tensors have other names
]
FEATURES = (
    Number(name="size / m²", low=0, high=100),
    Number(name="price", low=0, high=100, nullable=True),
    Boolean(name="sale", nullable=True),
    Category(name="shelf", vocabulary=("", "2", "3"), integers=True, nullable=True),
    Category(name="رنگ", vocabulary=("", "blue", "red"), nullable=True),
    Timestamp(name="seen"),
    Timestamp(name="sold", nullable=True, zoned=True),
)
NOON = datetime.datetime(2024, 2, 3, 12, tzinfo=datetime.UTC)
ROWS: list[dict[str, Any]] = [
    {"size / m²": 1, "price": 2.5, "sale": True, "shelf": 3, "رنگ": "red", "seen": "2024-02-29", "sold": NOON},
    {"size / m²": 7, "price": None, "sale": None, "shelf": None, "رنگ": None, "seen": "2024-12-31T23:59", "sold": None},
]  # fmt: skip
NAMES = list(ROWS[0])
TASKS = {
    "binary": Target(name="paid", classes=(False, True)),
    "multiclass": Target(name="colour", task="multiclass", classes=("rot", "grün", "blau")),
    "regression": Target(name="price", task="regression"),
}
OUTPUTS = {
    "binary": ["probability", "label"],
    "multiclass": ["label", "probability", "probabilities.rot", "probabilities.grün", "probabilities.blau"],
    "regression": ["value", "low", "high"],
}


def save(target: Target, folder: Path) -> Any:
    """Save an untrained network as training does, and return it as MLflow loads it."""
    schema = Schema(name="shop", features=FEATURES, target=target)
    numbers = keras.Input((len(schema.number_names),), name="numbers")
    codes = keras.Input((len(schema.categories),), name="codes", dtype="int32")
    known = keras.ops.where(keras.ops.isnan(numbers), keras.ops.zeros_like(numbers), numbers)
    together = keras.layers.Concatenate()([known, keras.ops.cast(codes, "float32")])
    answers = keras.layers.Dense(len(target.outputs), "linear" if target.task == "regression" else "sigmoid")(together)
    raw_model = build_raw_model(schema, keras.Model({"numbers": numbers, "codes": codes}, answers))
    TableFlavor.save_model(
        str(folder), Model(), schema, model_signature(schema), model=raw_model, pip_requirements=["keras"]
    )
    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "When providing `inputs` as a dict")
        return {task: save(target, tmp_path_factory.mktemp("mlflow") / task) for task, target in TASKS.items()}


@pytest.mark.parametrize("task", list(TASKS))
def test_tables_lists_and_columns_are_answered_alike(loaded: dict[str, Any], task: str) -> None:
    predict, table = loaded[task].predict, pd.DataFrame(ROWS)
    wanted = predict(ROWS)
    assert wanted.shape == (2,)
    sent = {"dataframe_records": json.loads(table.to_json(orient="records", date_format="iso"))}
    typed = table.assign(seen=pd.to_datetime(table["seen"], format="ISO8601"), sold=pd.to_datetime(table["sold"]))
    for given in (
        table,
        typed[NAMES[::-1]].assign(other=1),
        {name: [row[name] for row in ROWS] for name in NAMES},
        infer_and_parse_data(sent, loaded[task].metadata.get_input_schema()),  # as `mlflow models serve` does
    ):
        np.testing.assert_array_equal(predict(given), wanted)
    everything = predict(ROWS, params={"all_outputs": True})
    assert list(everything.columns) == OUTPUTS[task]
    np.testing.assert_array_equal(everything["value" if task == "regression" else "label"], wanted)
    assert set(wanted.tolist()) <= {*TASKS[task].classes} or task == "regression"


def test_two_classes_are_told_apart_at_the_threshold(loaded: dict[str, Any], tmp_path: Path) -> None:
    (likely,) = loaded["binary"].predict(ROWS[:1], params={"all_outputs": True})["probability"]
    strict = save(TASKS["binary"].model_copy(update={"threshold": 1.0}), tmp_path / "strict")
    assert strict.predict(ROWS[:1]).tolist() == [likely >= 1]
    for threshold in (0.0, likely, 1.0):
        decided = loaded["binary"].predict(ROWS[:1], params={"threshold": float(threshold)})
        assert decided.tolist() == [likely >= threshold]
    with pytest.raises(ValueError, match="`threshold`: expected a number from 0 to 1, got 7"):
        loaded["binary"].predict(ROWS, params={"threshold": 7.0})


def test_what_is_optional_may_be_left_out_and_nothing_else(loaded: dict[str, Any]) -> None:
    model = loaded["regression"]
    columns = {one.name: one.required for one in model.metadata.signature.inputs}
    assert columns == {feature.name: not feature.nullable for feature in FEATURES}
    few = [{name: row[name] for name in NAMES if columns[name]} for row in ROWS]
    np.testing.assert_array_equal(model.predict(few)[1:], model.predict(ROWS)[1:])
    with pytest.raises(MlflowException, match="missing inputs"):
        model.predict([{name: row[name] for name in NAMES if name != "seen"} for row in ROWS])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"size / m²": None}, "`size / m²`: null is not allowed"),
        ({"price": "far"}, "`price`: expected a number"),
        ({"seen": 5}, "`seen`: expected a timestamp: got numbers"),
        ({"seen": "2024-02-29T00:00+01:00"}, "`seen`: expected a timestamp: got one with a UTC offset"),
        ({"seen": "yesterday"}, "`seen`: expected a timestamp"),
    ],
)
def test_a_wrong_value_is_named(loaded: dict[str, Any], wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        loaded["binary"].predict([{**ROWS[0], **wrong}])


@pytest.mark.parametrize(
    ("task", "model_type", "metric"),
    [("binary", "classifier", "accuracy_score"), ("regression", "regressor", "mean_absolute_error")],
)
def test_mlflow_evaluates_it(
    loaded: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, model_type: str, metric: str
) -> None:
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(1)
    table = pd.DataFrame([ROWS[index % 2] for index in range(40)])
    table["size / m²"] = generator.uniform(0, 10, len(table))
    answers = loaded[task].predict(table)
    classes = TASKS[task].classes
    table["target"] = [classes[index % len(classes)] for index in range(len(table))] if classes else answers
    with mlflow.start_run(experiment_id=mlflow.create_experiment(f"evaluated {task}")):
        evaluated = mlflow.models.evaluate(
            loaded[task], table, targets="target", model_type=model_type, evaluators="default",
            evaluator_config={"log_explainer": False},
        )  # fmt: skip
    right = (answers == np.array(table["target"])).mean() if classes else 0.0
    assert evaluated.metrics[metric] == pytest.approx(right)
