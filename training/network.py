"""The Keras network: encoded numbers and codes in, a probability out."""

import math
from dataclasses import dataclass

import keras
import numpy as np

from contract.encode import Encoded
from contract.schema import Schema

MAX_EMBEDDING_SIZE = 8
CLIP = 4.0  # standard deviations; an outlier must not drown the other inputs


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each number in the training rows, (numbers,)."""

    mean: np.ndarray
    deviation: np.ndarray


def measure_moments(numbers: np.ndarray) -> Moments:
    """Return the moments of each column, missing values left out; a constant one deviates by 1."""
    mean = np.asarray(np.nanmean(numbers, axis=0, dtype=np.float64))
    deviation = np.asarray(np.nanstd(numbers, axis=0, dtype=np.float64))
    return Moments(mean, np.where(deviation > 0, deviation, 1.0))


@dataclass(frozen=True)
class Shape:
    """How large the network is and how much of it is dropped in training.

    The answer is the mean of the towers' answers: it depends less on the seed than one tower's.
    """

    units: tuple[int, ...] = (128, 64)
    dropout: float = 0.3
    towers: int = 2


def build_network(schema: Schema, moments: Moments, base_rate: float, shape: Shape) -> tuple[keras.Model, keras.Model]:
    """Return the network, (rows, 1), and its towers' answers, (rows, towers), which are what is fitted.

    Inputs are `numbers` (rows, n) float32 and `codes` (rows, c) int32. Untrained the network
    answers about the base rate.
    """
    inputs, parts = {}, []
    if schema.number_names:
        numbers = inputs["numbers"] = keras.Input((len(schema.number_names),), name="numbers", dtype="float32")
        parts += standardise(numbers, moments)
    if schema.categories:
        codes = inputs["codes"] = keras.Input((len(schema.categories),), name="codes", dtype="int32")
        parts += embed(codes, schema)
    features = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    towers = [build_tower(features, base_rate, shape) for _ in range(shape.towers)]
    answers = keras.layers.Concatenate()(towers) if len(towers) > 1 else towers[0]
    probability = keras.ops.mean(answers, axis=1, keepdims=True)
    return keras.Model(inputs, probability, name="network"), keras.Model(inputs, answers, name="towers")


def build_tower(features: keras.KerasTensor, base_rate: float, shape: Shape) -> keras.KerasTensor:
    """Return one tower's probability, (rows, 1)."""
    hidden = keras.layers.Dropout(shape.dropout / 3)(features)
    for width in shape.units:
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
        hidden = keras.layers.Dropout(shape.dropout)(hidden)
    log_odds = keras.initializers.Constant(math.log(base_rate / (1 - base_rate)))
    return keras.layers.Dense(1, activation="sigmoid", bias_initializer=log_odds)(hidden)


def standardise(numbers: keras.KerasTensor, moments: Moments) -> list[keras.KerasTensor]:
    """Return the numbers in standard deviations, missing ones at the mean, and where they were missing."""
    missing = keras.ops.isnan(numbers)
    mean, deviation = moments.mean.astype("float32"), moments.deviation.astype("float32")
    scaled = keras.ops.clip((numbers - mean) / deviation, -CLIP, CLIP)
    return [keras.ops.where(missing, 0.0, scaled), keras.ops.cast(missing, "float32")]


def embed(codes: keras.KerasTensor, schema: Schema) -> list[keras.KerasTensor]:
    """Return one learned vector for each category; code 0, the unseen value, has its own."""
    vectors = []
    for place, feature in enumerate(schema.categories):
        size = len(feature.vocabulary) + 1
        layer = keras.layers.Embedding(size, min(MAX_EMBEDDING_SIZE, (size + 1) // 2))
        vectors.append(layer(codes[:, place]))
    return vectors


def network_inputs(encoded: Encoded) -> dict[str, np.ndarray]:
    """Return the encoded rows under the network's input names."""
    arrays = {"numbers": encoded.numbers, "codes": encoded.codes}
    return {name: array for name, array in arrays.items() if array.shape[1]}
