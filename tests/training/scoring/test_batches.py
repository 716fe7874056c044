"""`score_batches`: Arrow batches in, the same with the service's answers out, from whatever gives Arrow batches."""

import subprocess
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import InvalidInput, InvalidTable
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema, Target
from ekiben.contract.threshold import InvalidThreshold, read_threshold
from ekiben.model.golden import Golden
from ekiben.model.package import GOLDEN_FILE, NothingToExplainBy, PackedModel
from ekiben.training.predict import predict
from ekiben.training.scoring import score_batches, scored_schema
from ekiben.training.scoring.scorer import MAX_ROWS
from ekiben.training.source_config import FileSource
from tests.every_kind import LATE, ROW, SCHEMA

ADDED = ["prediction.probability", "prediction.label", "prediction.problem"]
HEAVY = {"pandas", "mlflow", "tensorflow", "keras", "bentoml", "duckdb", "sqlalchemy", "sklearn"}
ROWS: list[dict[str, Any]] = [
    ROW,
    ROW | {"gate": "ب۲", "temp": None, "strike": None, "booked": "2013-07-04T17:30:00+02:00"},
    ROW | {"carrier": "ZZ", "holiday": False, "departure": "1969-12-31T23:59:59", "booked": "1969-01-01T00:00:00Z"},
]


class Echo:
    """A packed model whose answer to a row tells all of its bits."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def start_engine(self) -> "Echo":
        return self

    def open_explainer(self) -> None:
        raise NothingToExplainBy("echo", "1")

    def run(self, encoded: Encoded) -> np.ndarray:
        rows = zip(encoded.numbers, encoded.codes, strict=True)
        answers = [zlib.crc32(numbers.tobytes() + codes.tobytes()) / 2**32 for numbers, codes in rows]
        outputs = len(self.schema.target.outputs)
        return np.array([answers] * outputs, np.float32).T.reshape(len(answers), outputs)

    def serve(self, rows: list[dict[str, Any]]) -> list[float]:
        """What the service answers."""
        return self.run(Encoder(self.schema).encode_rows(rows))[:, 0].astype(float).tolist()


echo: Any = Echo(SCHEMA)


def to_batch(rows: list[dict[str, Any]], **types: pa.DataType) -> pa.RecordBatch:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [pa.array([row.get(name) for row in rows], types.get(name)) for name in names]
    return pa.record_batch(columns, names=names)


def score(*batches: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches(list(score_batches(echo, batches)))


def test_rows_in_every_kind_of_column_are_answered_as_the_service_answers() -> None:
    scored = score(to_batch([{"id": index, **row} for index, row in enumerate(ROWS)]))
    assert scored.schema.names == ["id", *SCHEMA.names, *ADDED]
    assert scored["id"].to_pylist() == [0, 1, 2]
    assert scored["prediction.problem"].null_count == 3
    assert scored["prediction.probability"].to_pylist() == echo.serve(ROWS)


def test_typed_columns_are_the_same_values() -> None:
    moments = {"departure": datetime.fromisoformat, "booked": lambda text: datetime.fromisoformat(text).astimezone(UTC)}
    typed = [row | {name: row[name] and read(row[name]) for name, read in moments.items()} for row in ROWS]
    for types in (
        {"departure": pa.timestamp("us"), "booked": pa.timestamp("ms", "Europe/Paris"), "distance": pa.int16()},
        {"departure": pa.timestamp("s"), "temp": pa.float64(), "carrier": pa.large_string(), "gate": pa.string_view()},
        {"carrier": pa.dictionary(pa.int8(), pa.string()), "distance": pa.float32(), "strike": pa.bool_()},
    ):
        assert score(to_batch(typed, **types))["prediction.probability"].to_pylist() == echo.serve(ROWS), types


def test_a_row_that_does_not_fit_has_nulls_and_says_why() -> None:
    wrong = [ROW, ROW | {"distance": None}, ROW | {"temp": 150.5}, ROW | {"departure": "yesterday"}, ROW]
    scored = score(to_batch(wrong))
    assert scored["prediction.probability"].is_null().to_pylist() == [False, True, True, True, False]
    assert scored["prediction.label"].null_count == 3
    for index in (1, 2, 3):
        with pytest.raises(InvalidInput) as raised:
            Encoder(SCHEMA).encode_rows([wrong[index]])
        (fault,) = raised.value.field_errors
        assert scored["prediction.problem"][index].as_py() == f"`{fault.field}`: {fault.message}"


def test_batches_and_their_order_stay_and_large_ones_come_in_pieces() -> None:
    many = pa.Table.from_batches([to_batch([ROW])] * 3).combine_chunks().to_batches()[0]
    large = pa.concat_batches([many] * (MAX_ROWS // 3 + 1))
    sizes = [scored.num_rows for scored in score_batches(echo, iter([many.slice(0, 2), many.slice(0, 0), large]))]
    assert sizes == [2, 0, MAX_ROWS, large.num_rows - MAX_ROWS]


@pytest.mark.parametrize(
    "target",
    [LATE, Target(name="stars", task="multiclass", classes=(1, 3, 5)), Target(name="price", task="regression")],
    ids=lambda target: target.task,
)
def test_what_is_made_of_no_rows_has_the_same_schema(target: Target) -> None:
    of_task: Any = Echo(SCHEMA.model_copy(update={"target": target}))
    batch = to_batch(ROWS)
    (scored,) = score_batches(of_task, [batch])
    assert scored_schema(of_task, batch.schema) == scored.schema
    (rejected,) = score_batches(of_task, [to_batch([ROW | {"distance": -1}])])
    assert rejected.schema.names == scored.schema.names
    assert rejected.schema.field(-2).type == scored.schema.field(-2).type


@pytest.mark.parametrize("threshold", [0, 0.3, 1.0, "0.3"])
def test_labels_are_decided_by_a_threshold_that_is_given(threshold: Any) -> None:
    (scored,) = score_batches(echo, [to_batch(ROWS)], threshold=read_threshold(str(threshold)))
    probabilities = scored["prediction.probability"].to_pylist()
    assert scored["prediction.label"].to_pylist() == [one >= float(threshold) for one in probabilities]
    assert probabilities == echo.serve(ROWS)


@pytest.mark.parametrize("text", ["nan", "-1", "2", "x", "[0.3]", "", "1" * 65])
def test_no_other_threshold_is_taken_and_no_file_touched(text: str, tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_batches([to_batch(ROWS)]), tmp_path / "t.parquet")
    with pytest.raises(InvalidThreshold, match="threshold: expected a number from 0 to 1, got"):
        predict(echo, FileSource(path=tmp_path / "t.parquet"), tmp_path / "o.csv", threshold=read_threshold(text))
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target(name="stars", task="multiclass", classes=(1, 3, 5)), "of 3 classes the likeliest is the label"),
        (Target(name="price", task="regression"), "this model answers a number, and decides nothing"),
    ],
)
def test_other_tasks_have_no_threshold(target: Target, said: str) -> None:
    of_task: Any = Echo(SCHEMA.model_copy(update={"target": target}))
    with pytest.raises(InvalidThreshold, match=f"threshold: {said}: leave it out"):
        next(score_batches(of_task, [to_batch(ROWS)], threshold=0.3))


def test_an_optional_feature_may_be_left_out() -> None:
    features = (Number(name="x", low=0, high=9), Number(name="y", low=0, high=9, optional=True, default=7))
    optional: Any = Echo(Schema(name="echo", features=features, target=LATE))
    (scored,) = score_batches(optional, [pa.record_batch({"x": [1, 2]})])
    assert scored["prediction.probability"].to_pylist() == optional.serve([{"x": 1, "y": 7}, {"x": 2, "y": 7}])
    with pytest.raises(InvalidTable, match="the table has no column `y`; it has: x, Y"):
        next(score_batches(optional, [pa.record_batch({"x": [1], "Y": [2]})]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda batch: batch.drop_columns(["distance"]), "the table has no column `distance`; it has: temp, carrier"),
        (lambda batch: batch.rename_columns(["distence", *batch.schema.names[1:]]), "did you mean `distence`"),
        (lambda batch: batch.add_column(1, "distance", batch["temp"]), "the table has two columns `distance`: leave"),
        (
            lambda batch: batch.append_column("prediction.x", batch["temp"]),
            "has a column `prediction.x`, as those that",
        ),
    ],
)
def test_a_table_that_can_not_be_scored_is_one_sentence(change: Any, sentence: str) -> None:
    batch = to_batch([ROW])
    with pytest.raises(InvalidTable, match=sentence):
        next(score_batches(echo, [change(batch)]))
    scoring = score_batches(echo, [batch, change(batch)])  # later ones are looked at, too
    assert next(scoring).num_rows == 1
    with pytest.raises(InvalidTable, match=sentence):
        next(scoring)


def test_what_is_said_of_all_columns_goes_before_the_schema() -> None:
    batch = to_batch([ROW | {"distance": "1.400,5", "temp": "-"}])
    (scored,) = score_batches(echo, [batch], said={"decimal": ",", "null": ("-",)})
    assert scored["prediction.probability"].to_pylist() == echo.serve([ROW | {"distance": 1400.5, "temp": None}])


def test_a_model_that_explains_nothing_says_so() -> None:
    with pytest.raises(NothingToExplainBy):
        next(score_batches(echo, [to_batch([ROW])], explain_top=3))


def test_scoring_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "import ekiben.model.folder, ekiben.model.engine, ekiben.training.scoring\n"
        f"print(sorted({HEAVY!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture(scope="module")
def table(model: PackedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flights that were held out, and two rows that don't fit."""
    path = tmp_path_factory.mktemp("flights") / "flights.parquet"
    rows = Golden.model_validate_json((model.path / GOLDEN_FILE).read_bytes()).rows
    bad = [rows[0] | {"distance": -1}, rows[0] | {"carrier": None}]
    pq.write_table(pa.Table.from_pylist([{"id": i, **row} for i, row in enumerate([*rows, *bad])]), path)
    return path


def from_dataset(path: Path) -> Iterator[pa.RecordBatch]:
    return pyarrow.dataset.dataset(path).to_batches(batch_size=10)


def from_duckdb(path: Path) -> Iterator[pa.RecordBatch]:
    return iter(duckdb.sql(f"SELECT * FROM '{path}' ORDER BY id DESC").to_arrow_reader(50))


@pytest.mark.slow
@pytest.mark.parametrize("read", [from_dataset, from_duckdb])
def test_other_readers_get_the_bits_of_predict_and_of_the_service(model: PackedModel, table: Path, read: Any) -> None:
    predict(model, FileSource(path=table), table.with_name("scored.parquet"))
    expected = pq.read_table(table.with_name("scored.parquet"))
    scored = pa.Table.from_batches(list(score_batches(model, read(table)))).sort_by("id")
    assert scored.select(ADDED).equals(expected.select(ADDED))
    assert scored["prediction.problem"].to_pylist()[-2:] == [
        "`distance`: expected a number from 0 to 9886 miles, got -1.0",
        "`carrier`: null is not allowed; expected a string",
    ]
    rows = pq.read_table(table).drop_columns(["id"]).to_pylist()[:-2]
    served = model.start_engine().run(Encoder(model.schema).encode_rows(rows))
    assert served[:, 0].astype(float).tolist() == scored["prediction.probability"].to_pylist()[:-2]
