"""The rows of a table as a caller would send them."""

from typing import Any

import pandas as pd

from ekiben.contract.feature import Feature, Timestamp, Value
from ekiben.contract.schema import Schema
from ekiben.contract.spellings.moments import write_moment


def to_rows(schema: Schema, table: pd.DataFrame) -> list[dict[str, Value]]:
    """Return a table's features as the rows a caller would send as JSON."""
    columns = {feature.name: _to_json_values(table[feature.name], feature) for feature in schema.features}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _to_json_values(column: "pd.Series[Any]", feature: Feature) -> list[Value]:
    if isinstance(feature, Timestamp):
        return [write_moment(moment, feature.format) if moment == moment else None for moment in column]
    values = column.astype(object)
    return list(values.where(column.notna(), None))
