"""Scores Spark's tables: as DataFrames, in SQL, and as streams, which are DataFrames too."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.functions import arrow_udf
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from ekiben.contract.errors import InvalidTable
from ekiben.contract.feature import Timestamp
from ekiben.contract.schema import Schema
from ekiben.deploy.spark.executor import PREDICTION, nest
from ekiben.deploy.spark.shipping import Shipped, ship
from ekiben.model.package import PackedModel
from ekiben.training.scoring.batches import check_columns, empty_batch, scored_schema
from ekiben.training.scoring.summary import PREFIX

_TYPES = {pa.bool_(): BooleanType(), pa.int64(): LongType(), pa.float64(): DoubleType(), pa.string(): StringType()}
Batches = Iterator[pa.RecordBatch]


def score(frame: DataFrame, model: PackedModel) -> DataFrame:
    """Return the table with a column `prediction`: a struct of what `ekiben predict` writes, the service's to the bit.

    A row that does not fit has nulls in it, and `prediction.problem` says why. Raises InvalidTable if a feature has no
    column, or one of a type that can't be it, before anything is started.
    """
    check_frame(model.schema, frame.schema)
    predicted = StructField(PREDICTION, prediction_type(model))
    task = _make_rows_task(ship(frame.sparkSession.sparkContext, model))
    return frame.mapInArrow(task, StructType([*frame.schema.fields, predicted]))


def make_function(spark: SparkSession, model: PackedModel) -> Callable[..., Column]:
    """Return a function of one struct, a row's features by their names, that gives its prediction as a struct."""
    task = _make_structs_task(ship(spark.sparkContext, model))
    function: Callable[..., Column] = arrow_udf(task, returnType=prediction_type(model))
    return function


def register(spark: SparkSession, model: PackedModel, name: str = "predict") -> None:
    """Let SQL call it: `SELECT *, predict(struct(*)).probability FROM flights`."""
    spark.udf.register(name, make_function(spark, model))


def check_frame(schema: Schema, columns: StructType) -> None:
    """Raise InvalidTable if the columns can't be scored; said on the driver, where one sentence is seen."""
    check_columns(schema, "the table", columns.names, (PREFIX,))
    if PREDICTION in columns.names:
        raise InvalidTable(f"the table has a column `{PREDICTION}`, as the one that is added: rename it")
    kinds = {field.name: field.dataType for field in columns.fields}
    for feature in schema.features:
        kind = kinds.get(feature.name)
        if isinstance(feature, Timestamp) and isinstance(kind, TimestampType | TimestampNTZType):
            _check_zone(feature, kind)


def prediction_type(model: PackedModel) -> StructType:
    """Return the type of the struct that is added."""
    columns = pa.schema([(name, pa.string()) for name in model.schema.names])
    kind = _to_spark(nest(empty_batch(scored_schema(model, columns))).type)
    assert isinstance(kind, StructType)
    return kind


def _check_zone(feature: Timestamp, kind: DataType) -> None:
    if isinstance(kind, TimestampType) and not feature.zoned:
        raise InvalidTable(
            f"`{feature.name}` is a TIMESTAMP, a moment with a zone, and the model has naive local time: "
            f'cast it where it is read, col("{feature.name}").cast("timestamp_ntz")'
        )
    if isinstance(kind, TimestampNTZType) and feature.zoned:
        raise InvalidTable(
            f"`{feature.name}` is a TIMESTAMP_NTZ, without a zone, and the model has moments with one: "
            f'cast it where it is read, col("{feature.name}").cast("timestamp")'
        )


def _make_rows_task(shipped: Shipped) -> Callable[[Batches], Batches]:
    """Return what an executor runs. It is sent as it stands here, and imports what was shipped only when it runs."""
    archive, digest, engine, versions = shipped.archive, shipped.digest, shipped.engine, shipped.versions

    def score_part(batches: Batches) -> Batches:
        from ekiben.deploy.spark.versions import check_versions

        check_versions(versions, engine)
        from ekiben.deploy.spark.executor import find_scorer, score_rows

        yield from score_rows(find_scorer(archive, digest), batches)

    return score_part


def _make_structs_task(shipped: Shipped) -> Callable[..., Any]:
    archive, digest, engine, versions = shipped.archive, shipped.digest, shipped.engine, shipped.versions

    def predict(rows: Iterator[pa.Array]) -> Iterator[pa.Array]:
        from ekiben.deploy.spark.versions import check_versions

        check_versions(versions, engine)
        from ekiben.deploy.spark.executor import find_scorer, score_structs

        yield from score_structs(find_scorer(archive, digest), rows)

    return predict


def _to_spark(kind: pa.DataType) -> DataType:
    if pa.types.is_struct(kind):
        return StructType([StructField(field.name, _to_spark(field.type)) for field in kind])
    return _TYPES[kind]
