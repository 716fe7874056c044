"""Rows that are nobody's: each column in an order of its own, or made up of what a schema says."""

import numpy as np
import pandas as pd

from ekiben.contract.category_codes import MISSING
from ekiben.contract.feature import Category, Feature, Number, Timestamp, Value
from ekiben.contract.schema import Schema
from ekiben.training.dataset.schema_learning import EXAMPLE_ROWS, to_json
from ekiben.training.privacy_config import Carried

SEED = 5
MADE_UP = "2000-01-01 12:00:00"


def scramble(schema: Schema, table: pd.DataFrame) -> pd.DataFrame:
    """Return the features of a table with each column's values in an order of its own.

    The orders come from the system's entropy and are kept nowhere: with a seed anybody could put rows together again.
    """
    random = np.random.default_rng()
    orders = {name: random.permutation(len(table)) for name in schema.names}
    return pd.DataFrame({name: table[name].array.take(order) for name, order in orders.items()})


def hide_example(schema: Schema, table: pd.DataFrame, how: Carried) -> Schema:
    """Return the schema with its example as it was, of values of different rows, or made up.

    The same table gives the same example, since the schema's digest is of it, too.
    """
    if how == "keep":
        return schema
    random = np.random.default_rng(SEED)
    features = [
        feature.model_copy(update={"example": _draw(feature, table, random) if how == "scramble" else make_up(feature)})
        for feature in schema.features
    ]
    return schema.model_copy(update={"features": tuple(features)})


def make_up(feature: Feature) -> Value:
    """Return a value that a caller could send and that no row of the table was asked for."""
    if isinstance(feature, Number):
        return to_json(feature, (feature.low + feature.high) / 2)
    if isinstance(feature, Timestamp):
        return to_json(feature, pd.Timestamp(MADE_UP, tz="UTC" if feature.zoned else None))
    if isinstance(feature, Category):
        known = next((value for value in feature.vocabulary if value != MISSING), None)
        return to_json(feature, known)
    return False


def _draw(feature: Feature, table: pd.DataFrame, random: np.random.Generator) -> Value:
    """Return the value of a row drawn at random, or a made up one where none is within the declared range."""
    values = table[feature.name].head(EXAMPLE_ROWS).dropna()
    if isinstance(feature, Number):
        values = values[(values >= feature.low) & (values <= feature.high)]
    return to_json(feature, values.iloc[int(random.integers(len(values)))]) if len(values) else make_up(feature)
