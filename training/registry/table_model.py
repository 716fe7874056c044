"""The logged model as MLflow's `python_function`: a table in, a label or a value for each row out.

This file is copied into each model, beside `schema.json`, and MLflow imports it from there, where there is no Ekiben:
it needs what REQUIREMENTS of `run_logging` pin and nothing else.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow.keras
import numpy as np
import pandas as pd

SCHEMA_FILE = "schema.json"
ALL_OUTPUTS = "all_outputs"  # the parameter by which a caller asks for probabilities or an interval, too
THRESHOLD = "threshold"  # and the one by which it decides between two classes from another probability on
USUAL_THRESHOLD = 0.5  # a schema leaves it out
BATCH_ROWS = 4096
Column = Any  # pandas' Series; it has no types to rely on


class TableModel:
    """Answers tables of the columns that a schema names; an optional one may be missing, and is then unknown."""

    def __init__(self, network: Any, schema: Mapping[str, Any]) -> None:
        self._network = network
        self._features = schema["features"]
        self._target: dict[str, Any] = schema["target"]

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return the likeliest class or the value of each row, (rows,), or with ALL_OUTPUTS a table of all there is.

        Raises ValueError naming the column if its values can't be read.
        """
        table = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
        columns = {feature["name"]: read_column(feature, table) for feature in self._features}
        answers = np.asarray(self._network.predict(columns, batch_size=BATCH_ROWS, verbose=0))  # (rows, outputs)
        outputs = name_outputs(self._target | read_threshold(self._target, params or {}), answers)
        if params and params.get(ALL_OUTPUTS):
            return pd.DataFrame(outputs, index=table.index)
        return outputs["value" if self._target["task"] == "regression" else "label"]


def read_threshold(target: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, float]:
    """Return the threshold that a caller asks for, if any; raise ValueError if it can't be one."""
    given = params.get(THRESHOLD)
    if given is None or target["task"] != "binary":
        return {}
    if not 0 <= given <= 1:
        raise ValueError(f"the parameter `{THRESHOLD}`: expected a number from 0 to 1, got {given}")
    return {THRESHOLD: float(given)}


def read_column(feature: Mapping[str, Any], table: Any) -> Any:
    """Return a column as the network takes it, (rows,): float32 with NaN, or strings with ""."""
    name, is_text = feature["name"], feature["kind"] in ("category", "timestamp")
    if name not in table and feature.get("default") is not None:
        table = pd.DataFrame({name: [feature["default"]] * len(table)}, index=table.index)
    if name not in table:
        return np.full(len(table), "" if is_text else np.nan, object if is_text else np.float32)
    column = table[name]
    if not feature["nullable"] and column.isna().any():
        raise ValueError(f"`{name}`: null is not allowed")
    try:
        if feature["kind"] == "timestamp":
            return write_times(column, feature["zoned"])
        return spell(column, feature["integers"]) if is_text else to_floats(column)
    except (ValueError, TypeError) as error:
        raise ValueError(f"`{name}`: expected a {feature['kind']}: {error}") from None


def to_floats(column: Column) -> Any:
    """Return numbers and booleans."""
    numbers: Column = pd.to_numeric(column)
    return numbers.to_numpy(np.float32, na_value=np.nan)


def spell(column: Column, integers: bool) -> Any:
    """Return the spellings of categories; pandas has made floats of whole numbers where one is missing."""
    values = column.astype(object).where(column.notna(), "").tolist()
    if integers:
        values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    return np.array([str(value) for value in values], object)


def write_times(column: Column, zoned: bool) -> Any:
    """Return moments, or strings in ISO 8601, as the network reads them: in UTC if they have a zone, else naive."""
    if pd.api.types.is_numeric_dtype(column) and column.notna().any():
        raise ValueError("got numbers")
    known = column.astype(object).where(column.notna() & (column.astype(object) != ""), None)
    moments = pd.to_datetime(known, format="ISO8601", utc=zoned)
    if not zoned and getattr(moments.dt, "tz", None) is not None:
        raise ValueError("got one with a UTC offset, training's had none")
    written = moments.dt.strftime("%Y-%m-%dT%H:%M:%S" + "Z" * zoned)
    return written.astype(object).where(moments.notna(), "").to_numpy(object)


def name_outputs(target: Mapping[str, Any], answers: Any) -> dict[str, Any]:
    """Return the outputs by name, (rows,) each, as the service's CSV has them."""
    exact, classes = answers.astype(np.float64), target["classes"]
    if target["task"] == "regression":
        return dict(zip(("value", "low", "high"), exact.T, strict=True))
    if target["task"] == "binary":
        decided = (exact[:, 0] >= target.get(THRESHOLD, USUAL_THRESHOLD)).astype(int)
        return {"probability": exact[:, 0], "label": np.array(classes)[decided]}
    scores = {f"probabilities.{label}": exact[:, index] for index, label in enumerate(classes)}
    return {"label": np.array(classes)[exact.argmax(axis=1)], "probability": exact.max(axis=1), **scores}


def _load_pyfunc(path: str) -> TableModel:
    """Return the model in a folder; MLflow asks for a function of this name."""
    return TableModel(mlflow.keras.load_model(path), json.loads((Path(path) / SCHEMA_FILE).read_text()))
