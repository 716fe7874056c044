"""The model on raw columns says what encode and network say, wherever it is loaded."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import Timestamp
from ekiben.contract.schema import Schema
from ekiben.model.golden import MAX_GOLDEN_DIFFERENCE
from ekiben.training.network.architecture import Design, Shape, build_towers
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.raw_inputs import build_raw_model, to_raw_arrays
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.registry.packaging import predict_encoded
from tests.every_kind import LATE, SCHEMA

pytestmark = pytest.mark.slow

ROWS = 1000
LOCAL = Timestamp(name="moment", nullable=True)
ZONED = Timestamp(name="moment", nullable=True, zoned=True)

LOAD_ELSEWHERE = """
import json, sys
sys.modules["ekiben"] = None  # our code is not there
import keras
import tensorflow as tf
columns = json.load(open("columns.json"))
answers = keras.models.load_model("model.keras")({name: tf.constant(column) for name, column in columns.items()})
json.dump(answers[:, 0].numpy().tolist(), open("answers.json", "w"))
"""


def make_rows(rows: int) -> list[dict[str, Any]]:
    """Random rows of every kind of feature as a caller sends them."""
    random = np.random.default_rng(7)

    def moment() -> datetime:
        return datetime(1900, 1, 1) + timedelta(seconds=int(random.integers(0, 201 * 365 * 86_400)))

    def maybe(value: Any) -> Any:
        return None if random.uniform() < 0.2 else value

    return [
        {
            "distance": int(random.integers(0, 5001)),
            "temp": maybe(float(random.uniform(-60.5, 140.25))),
            "carrier": str(random.choice(["AA", "UA", "ZZ", "ع"])),
            "gate": maybe(str(random.choice(["", "A1", "ب۲", "never seen", "[UNK]"]))),
            "holiday": bool(random.integers(2)),
            "strike": maybe(bool(random.integers(2))),
            "departure": moment().isoformat(),
            "booked": maybe(moment().replace(tzinfo=UTC).isoformat()),
        }
        for _ in range(rows)
    ]


def to_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows).astype({"strike": "boolean", "temp": "float64"})
    table["departure"] = table["departure"].astype("datetime64[s]")
    table["booked"] = pd.to_datetime(table["booked"]).astype("datetime64[s, UTC]")
    return table


def make_network() -> keras.Model:
    """A network of which every input changes the answer."""
    keras.utils.set_random_seed(3)
    others = len(SCHEMA.number_names) - 2
    spread = np.random.default_rng(3).normal(size=(1000, 2 + others))
    numbers = np.r_[2500.0, 40.0, np.zeros(others)] + spread * np.r_[1400.0, 50.0, np.ones(others)]
    numbers[::10] = np.nan
    rate = scale_target(LATE, np.repeat([0, 1], [7, 3]))
    design = Design(SCHEMA, scale_numbers(numbers.astype(np.float32), bins=0), rate, Shape(units=(32,)))
    return average_towers(build_towers(design), design)


def ask(raw_model: keras.Model, arrays: dict[str, np.ndarray]) -> np.ndarray:
    """The raw model's answers, (rows, outputs)."""
    return np.asarray(raw_model.predict(arrays, batch_size=8192, verbose=0))


def read(feature: Timestamp, *strings: str) -> np.ndarray:
    """Which (rows, 2 × cycles) numbers the raw model reads in these strings, by way of a network that hands them on."""
    schema = Schema(name="times", features=(feature,), target=LATE)
    numbers = keras.Input((len(schema.number_names),), name="numbers")
    network = keras.Model({"numbers": numbers}, keras.layers.Identity()(numbers))
    return ask(build_raw_model(schema, network), {"moment": np.array(strings, object)})


def encode(feature: Timestamp, *strings: str | None) -> np.ndarray:
    schema = Schema(name="times", features=(feature,), target=LATE)
    return Encoder(schema).encode_rows([{"moment": text or None} for text in strings]).numbers


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return make_rows(ROWS)


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return make_network()


@pytest.fixture(scope="module")
def raw_model(network: keras.Model) -> keras.Model:
    return build_raw_model(SCHEMA, network)


@pytest.fixture(scope="module")
def answers(network: keras.Model, rows: list[dict[str, Any]]) -> np.ndarray:
    """What encode and network say of the rows."""
    return predict_encoded(network, Encoder(SCHEMA).encode_rows(rows))


def test_both_ways_give_the_same_answers(
    raw_model: keras.Model, rows: list[dict[str, Any]], answers: np.ndarray
) -> None:
    given = ask(raw_model, to_raw_arrays(SCHEMA, to_table(rows)))
    assert np.abs(given - answers).max() <= MAX_GOLDEN_DIFFERENCE
    assert answers.std() > 0.01  # else any two models would agree


@pytest.mark.parametrize("name", SCHEMA.names)
def test_every_feature_reaches_the_network(
    name: str, raw_model: keras.Model, rows: list[dict[str, Any]], answers: np.ndarray
) -> None:
    arrays = to_raw_arrays(SCHEMA, to_table(rows))
    arrays[name] = arrays[name][::-1]
    assert np.abs(ask(raw_model, arrays) - answers).max() > 100 * MAX_GOLDEN_DIFFERENCE


def test_raw_arrays_are_one_named_column_a_feature(rows: list[dict[str, Any]]) -> None:
    arrays = to_raw_arrays(SCHEMA, to_table(rows))
    assert tuple(arrays) == SCHEMA.names
    assert {array.shape for array in arrays.values()} == {(ROWS,)}
    assert [array.dtype.kind for array in arrays.values()] == list("ffOOffOO")


def test_it_works_where_the_project_is_not(
    raw_model: keras.Model, rows: list[dict[str, Any]], answers: np.ndarray, tmp_path: Path
) -> None:
    raw_model.save(tmp_path / "model.keras")
    arrays = to_raw_arrays(SCHEMA, to_table(rows))
    columns = {name: array.tolist() for name, array in arrays.items()}
    (tmp_path / "columns.json").write_text(json.dumps(columns))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", LOAD_ELSEWHERE], cwd=tmp_path, env=environment, check=True, timeout=120)
    given = json.loads((tmp_path / "answers.json").read_text())
    np.testing.assert_allclose(given, answers[:, 0], atol=MAX_GOLDEN_DIFFERENCE)


STRINGS = [
    "2013-07-04T17:30:00",
    "2013-07-04T17:30",
    "2013-07-04",
    "2013-07-04 17:30:59",
    "2012-02-29T23:59:59",
    "2000-02-29",
    "1900-03-01T00:00:01",
    "1899-12-31T23:59:59",
    "1969-12-31T12:00:00",
    "2100-12-31T23:59:59",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59",
    "",
]


@pytest.mark.parametrize(
    "cycles", [("hour",), ("weekday",), ("day_of_year",), ("day_of_year", "hour", "weekday"), LOCAL.cycles]
)
def test_local_strings_are_read_as_encode_reads_them(cycles: Any) -> None:
    feature = LOCAL.model_copy(update={"cycles": cycles})
    np.testing.assert_allclose(read(feature, *STRINGS), encode(feature, *STRINGS), atol=1e-6)


def test_every_day_of_three_hundred_years_is_read_as_encode_reads_it() -> None:
    days = np.arange("1850-01-01", "2150-01-01", dtype="datetime64[D]").astype(str).tolist()
    np.testing.assert_allclose(read(LOCAL, *days), encode(LOCAL, *days), atol=1e-6)


@pytest.mark.parametrize("tail", ["Z", "+00:00"])
def test_zoned_strings_are_read_as_encode_reads_them(tail: str) -> None:
    strings = [f"{text}{tail}" if len(text) == len(STRINGS[0]) else "" for text in STRINGS]
    np.testing.assert_allclose(read(ZONED, *strings), encode(ZONED, *strings), atol=1e-6)


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        (LOCAL, "2013-07-04T17:30:00Z"),
        (LOCAL, "2013-07-04T17:30:00+00:00"),
        (ZONED, "2013-07-04T17:30:00+02:00"),
        (ZONED, "2013-07-04T17:30:00-00:00"),
        (LOCAL, "yesterday"),
        (LOCAL, "04.07.2013"),
        (LOCAL, "2013-7-4"),
        (LOCAL, "20130704"),
        (LOCAL, "۲۰۱۳-۰۷-۰۴"),
        (LOCAL, "2013-07-04T5:30:00"),
        (LOCAL, "2013-07-04T17:30:00 and more"),
    ],
)
def test_any_other_text_is_nan(feature: Timestamp, text: str) -> None:
    assert np.isnan(read(feature, text)).all()


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        (LOCAL, "2013-13-01"),
        (LOCAL, "2013-02-30"),
        (LOCAL, "2013-07-04T25:00:00"),
        (LOCAL, "2013x07x04"),
        (LOCAL, "2013-07-04T1"),
        (ZONED, "2013-07-04T17:30:00+00:00 and more"),
    ],
)
def test_a_text_that_encode_rejects_is_nan(feature: Timestamp, text: str) -> None:
    assert np.isnan(read(feature, text)).all()


@pytest.mark.parametrize(
    ("feature", "moments"),
    [
        (LOCAL, pd.to_datetime(["2013-07-04T17:30:00.5"])),
        (ZONED, pd.to_datetime(["2013-07-04T17:30:00Z"]).tz_convert("America/New_York")),
    ],
)
def test_a_table_may_have_fractions_and_other_zones(feature: Timestamp, moments: Any) -> None:
    schema = Schema(name="times", features=(feature,), target=LATE)
    (text,) = to_raw_arrays(schema, pd.DataFrame({"moment": moments}))["moment"]
    expected = encode(feature, "2013-07-04T17:30:00Z" if feature.zoned else "2013-07-04T17:30:00")
    np.testing.assert_allclose(read(feature, text), expected, atol=1e-6)
