"""The network with its preprocessing inside: raw named columns in, as MLflow and TensorFlow Serving want it.

This is `contract.encode` once more, in TensorFlow, generated from the same schema; packing fails
unless both give the golden rows the same answers.
"""

from typing import Any

import keras
import numpy as np

from contract.feature import Category, Feature, Timestamp
from contract.schema import Schema
from training.clock import read_cycles


def build_raw_model(schema: Schema, network: keras.Model) -> keras.Model:
    """Return a model with one (rows,) input per feature: text for category and timestamp, else float32.

    One-dimensional, as a column is: Keras takes texts as NumPy objects in no other shape.
    """
    inputs = {f.name: keras.Input((), name=f.name, dtype=raw_dtype(f)) for f in schema.features}
    numbers = [keras.ops.expand_dims(inputs[feature.name], 1) for feature in schema.plain]
    numbers += [read_cycles(inputs[feature.name], feature) for feature in schema.timestamps]
    codes = [_to_code(feature, inputs[feature.name]) for feature in schema.categories]
    parts = {"numbers": numbers, "codes": codes}
    encoded = {
        name: keras.layers.Concatenate()(part) if len(part) > 1 else part[0] for name, part in parts.items() if part
    }
    return keras.Model(inputs, network(encoded), name=schema.name)


def raw_dtype(feature: Feature) -> str:
    """Return the type of a raw column's tensor; missing is NaN in a float, "" in a text."""
    return "string" if isinstance(feature, Category | Timestamp) else "float32"


def to_raw_arrays(schema: Schema, table: Any) -> dict[str, np.ndarray]:
    """Return a pandas table's features as the raw model's inputs, each (rows,)."""
    return {feature.name: _to_raw(feature, table[feature.name]) for feature in schema.features}


def _to_code(feature: Category, column: keras.KerasTensor) -> keras.KerasTensor:
    lookup = keras.layers.StringLookup(vocabulary=list(feature.vocabulary), mask_token=None, num_oov_indices=1)
    return keras.ops.expand_dims(keras.ops.cast(lookup(column), "int32"), 1)


def _to_raw(feature: Feature, column: Any) -> np.ndarray:
    if isinstance(feature, Category):
        return np.asarray(column.astype(object).where(column.notna(), "").to_numpy(dtype=object))
    if isinstance(feature, Timestamp):
        moments = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        suffix = "Z" if feature.zoned else ""
        texts = moments.dt.strftime(f"%Y-%m-%dT%H:%M:%S{suffix}")
        return np.asarray(texts.astype(object).where(column.notna(), "").to_numpy(dtype=object))
    return np.asarray(column.to_numpy(np.float32, na_value=np.nan))
