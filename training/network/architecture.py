"""The Keras network: encoded numbers and codes in, the task's answers out."""

from dataclasses import dataclass

import keras
import numpy as np

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Schema, Target
from ekiben.training.network.scaling import NumberScale, TargetScale

MAX_EMBEDDING_SIZE = 8
CLIP = 4.0  # scales from the centre; an outlier must not drown the other inputs


@dataclass(frozen=True)
class Shape:
    """How large the network is and how much of it is dropped in training.

    The answer is the mean of the towers' answers: it depends less on the seed than one tower's.
    """

    units: tuple[int, ...] = (128, 64)
    dropout: float = 0.15
    towers: int = 2


def build_towers(schema: Schema, numbers: NumberScale, target: TargetScale, shape: Shape) -> keras.Model:
    """Return the towers, which are what is fitted: encoded rows in, (rows, towers, outputs) out.

    Inputs are `numbers` (rows, n) float32 and `codes` (rows, c) int32. A classifier's outputs are
    logits; a regression's the mean and the two bounds in the target's scale. Untrained, a
    tower answers about the base rates, or the mean.
    """
    inputs, parts = {}, []
    if schema.number_names:
        given = inputs["numbers"] = keras.Input((len(schema.number_names),), name="numbers", dtype="float32")
        parts += expand_numbers(given, numbers)
    if schema.categories:
        codes = inputs["codes"] = keras.Input((len(schema.categories),), name="codes", dtype="int32")
        parts += embed(codes, schema)
    features = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    towers = [build_tower(features, target.start, shape) for _ in range(shape.towers)]
    return keras.Model(inputs, keras.ops.stack(towers, axis=1), name="towers")


def build_tower(features: keras.KerasTensor, start: np.ndarray, shape: Shape) -> keras.KerasTensor:
    """Return one tower's outputs, (rows, outputs); untrained they are about `start`, (outputs,)."""
    hidden = features
    for width in shape.units:
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
        hidden = keras.layers.Dropout(shape.dropout)(hidden)
    last = keras.layers.Dense(len(start))
    outputs = last(hidden)
    last.bias.assign(start)
    return outputs


def expand_numbers(numbers: keras.KerasTensor, scale: NumberScale) -> list[keras.KerasTensor]:
    """Return the numbers around 0, missing ones at 0, where they were missing, and their piecewise-linear code.

    The code of a number is how far it reaches through each of its bins, from 0 to 1: Gorishniy,
    Rubachev and Babenko, On Embeddings for Numerical Features in Tabular Deep Learning (2022).
    """
    missing = keras.ops.isnan(numbers)
    scaled = keras.ops.where(missing, 0.0, keras.ops.clip((numbers - scale.centre) / scale.spread, -CLIP, CLIP))
    parts = [scaled, keras.ops.cast(missing, "float32")]
    count, bins = scale.starts.shape
    if bins:
        reach = (keras.ops.expand_dims(scaled, 2) - scale.starts) * scale.slopes  # (rows, numbers, bins)
        parts.append(keras.ops.reshape(keras.ops.clip(reach, 0.0, 1.0), (-1, count * bins)))
    return parts


def embed(codes: keras.KerasTensor, schema: Schema) -> list[keras.KerasTensor]:
    """Return one learned vector for each category; code 0, the unseen value, has its own."""
    vectors = []
    for index, feature in enumerate(schema.categories):
        size = len(feature.vocabulary) + 1
        layer = keras.layers.Embedding(size, min(MAX_EMBEDDING_SIZE, (size + 1) // 2))
        vectors.append(layer(codes[:, index]))
    return vectors


def average_towers(towers: keras.Model, target: Target, scale: TargetScale, margin: float = 0.0) -> keras.Model:
    """Return the network: the towers' mean answers, (rows, outputs), as the target has them.

    A regression's bounds are moved apart by `margin`, in the target's scale, and never cross the value.
    """
    outputs = towers.outputs[0]
    if target.task == "binary":
        answers = keras.ops.mean(keras.ops.sigmoid(outputs), axis=1)
    elif target.task == "multiclass":
        answers = keras.ops.mean(keras.ops.softmax(outputs, axis=2), axis=1)
    else:
        answers = bound(keras.ops.mean(outputs, axis=1), margin) * scale.spread + scale.centre
    return keras.Model(towers.input, answers, name="network")


def bound(outputs: keras.KerasTensor, margin: float) -> keras.KerasTensor:
    """Return value, low and high, (rows, 3), in this order of size: low, value, high."""
    value, low, high = (outputs[:, index : index + 1] for index in range(3))
    low, high = keras.ops.minimum(value, low - margin), keras.ops.maximum(value, high + margin)
    return keras.layers.Concatenate()([value, low, high])


def network_inputs(encoded: Encoded) -> dict[str, np.ndarray]:
    """Return the encoded rows under the network's input names."""
    arrays = {"numbers": encoded.numbers, "codes": encoded.codes}
    return {name: array for name, array in arrays.items() if array.shape[1]}
