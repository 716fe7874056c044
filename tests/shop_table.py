"""A small table with nulls in every kind of column."""

import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from ekiben.contract.encoding import Encoder
from ekiben.contract.feature import Boolean, Category, Number, Timestamp
from ekiben.contract.schema import Schema, Target

SCHEMA = Schema(
    name="shop",
    features=(
        Number(name="size", low=0, high=100, nullable=True),
        Category(name="shelf", vocabulary=("", "2", "3"), integers=True, nullable=True),
        Category(name="colour", vocabulary=("", "blue", "red"), nullable=True),
        Boolean(name="sale", nullable=True),
        Timestamp(name="seen", nullable=True),
        Timestamp(name="sold", nullable=True, zoned=True),
    ),
    target=Target(name="paid", classes=(False, True)),
)
ROW = {
    "size": 1.5, "shelf": 3, "colour": "red", "sale": True,
    "seen": "2013-07-04T10:00:00", "sold": "2013-07-04T10:00:00+00:00",
}  # fmt: skip
EMPTY = dict.fromkeys(ROW)


def same(rows: list[Any], wanted: list[Any]) -> bool:
    """Whether rows mean the same to the checks and the encoder."""
    given, meant = (Encoder(SCHEMA).encode_rows(those) for those in (rows, wanted))
    return np.array_equal(given.numbers, meant.numbers, equal_nan=True) and np.array_equal(given.codes, meant.codes)


def arrow_table(**replaced: pa.Array) -> pa.Table:
    moment = datetime.datetime(2013, 7, 4, 10)
    held = {
        "size": pa.array([1.5, None]),
        "shelf": pa.array([3, None], pa.int32()),
        "colour": pa.array(["red", None]),
        "sale": pa.array([True, None]),
        "seen": pa.array([moment, None], pa.timestamp("us")),
        "sold": pa.array([moment, None], pa.timestamp("ms", "UTC")),
    }
    return pa.table(held | replaced)
