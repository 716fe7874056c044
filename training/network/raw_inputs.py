"""The network with its preprocessing inside: raw named columns in, as MLflow and TensorFlow Serving want it.

This is `ekiben.contract.encoding` once more, in TensorFlow, generated from the same schema; packing fails
unless both give the golden rows the same answers.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ekiben.contract.category_codes import MISSING, UNSEEN
from ekiben.contract.feature import NULL_SPELLINGS, Category, Feature, Timestamp
from ekiben.contract.schema import Schema
from ekiben.training.network.timestamp_parsing import read_cycles


def build_raw_model(schema: Schema, network: keras.Model) -> keras.Model:
    """Return a model with one (rows,) input per feature: text for category and timestamp, else float32.

    One-dimensional, as a column is: Keras takes strings as NumPy objects in no other shape. The
    model takes a dictionary by the features' names, whatever these hold; the tensors have the
    same names where Keras can call them so, else they are called by their positions.
    """
    try:
        return _build(schema, network, schema.names)
    except ValueError:  # a name holds a slash, or is that of a layer
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "When providing `inputs` as a dict")  # names differ on purpose
            return _build(schema, network, [positional_name(index) for index in range(len(schema.features))])


def positional_name(index: int) -> str:
    """Return what a tensor is called after its feature's position."""
    return f"feature_{index}"


def _build(schema: Schema, network: keras.Model, names: Sequence[str]) -> keras.Model:
    inputs = {
        feature.name: keras.Input((), name=name, dtype=raw_dtype(feature))
        for feature, name in zip(schema.features, names, strict=True)
    }
    plain = [inputs[feature.name] for feature in schema.plain]
    numbers = [keras.ops.stack(plain, axis=1)] if plain else []
    numbers += [read_cycles(inputs[feature.name], feature) for feature in schema.timestamps]
    codes = [_to_code(feature, inputs[feature.name]) for feature in schema.categories]
    encoded = {}
    if numbers:
        encoded["numbers"] = keras.layers.Concatenate()(numbers) if len(numbers) > 1 else numbers[0]
    if codes:
        encoded["codes"] = keras.ops.stack(codes, axis=1)
    return keras.Model(inputs, network(encoded), name=schema.name)


def raw_dtype(feature: Feature) -> str:
    """Return the type of a raw column's tensor; missing is NaN in a float, "" in a string."""
    return "string" if isinstance(feature, Category | Timestamp) else "float32"


def to_raw_arrays(schema: Schema, table: Any) -> dict[str, np.ndarray]:
    """Return a pandas table's features as the raw model's inputs, each (rows,)."""
    return {feature.name: _to_raw(feature, table[feature.name]) for feature in schema.features}


def _to_code(feature: Category, column: keras.KerasTensor) -> keras.KerasTensor:
    seen = feature.vocabulary
    nulls = sorted({*NULL_SPELLINGS, *feature.null}.difference(seen)) if feature.nullable and MISSING in seen else []
    lookup = keras.layers.StringLookup(vocabulary=[*seen, *nulls], mask_token=None, num_oov_indices=UNSEEN + 1)
    codes = keras.ops.cast(lookup(column), "int32")  # (rows,)
    if not nulls:
        return codes
    return keras.ops.where(codes > UNSEEN + len(seen), UNSEEN + 1 + seen.index(MISSING), codes)


def _to_raw(feature: Feature, column: Any) -> np.ndarray:
    if isinstance(feature, Category):
        return np.asarray(column.astype(object).where(column.notna(), "").to_numpy(dtype=object))
    if isinstance(feature, Timestamp):
        moments = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        suffix = "Z" if feature.zoned else ""
        strings = moments.dt.strftime(f"%Y-%m-%dT%H:%M:%S{suffix}")
        return np.asarray(strings.astype(object).where(column.notna(), "").to_numpy(dtype=object))
    return np.asarray(column.to_numpy(np.float32, na_value=np.nan))
