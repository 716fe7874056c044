"""The network that is packed: the chosen towers as plain Dense layers, their answers averaged as the target has them."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ekiben.contract.schema import Schema, Target
from ekiben.training.network.architecture import Shape, build_inputs, embed, join
from ekiben.training.network.number_vectors import SIZE, read_numbers
from ekiben.training.network.scaling import NumberScale, TargetScale


@dataclass(frozen=True)
class Dense:
    """A layer's weights: (inputs, units) and (units,)."""

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, inputs: keras.KerasTensor, activation: str | None = None) -> keras.KerasTensor:
        layer = keras.layers.Dense(len(self.bias), activation=activation)
        outputs = layer(inputs)
        layer.set_weights([self.kernel, self.bias])
        return outputs


def average_towers(
    towers: keras.Model,
    schema: Schema,
    numbers: NumberScale,
    scale: TargetScale,
    shape: Shape,
    shares: np.ndarray | None = None,
    margin: float = 0.0,
) -> keras.Model:
    """Return the network: the mean of the towers' answers by their `shares`, (towers,), as (rows, outputs).

    Towers without a share are left out. A regression's bounds are moved apart by `margin`, in the target's scale, and
    never cross the value.
    """
    count = len(shape.dropouts)
    shares = np.full(count, 1 / count) if shares is None else shares
    inputs = build_inputs(schema)
    read = read_numbers(inputs["numbers"], numbers) if schema.number_names else None
    vectors = _copy_vectors(towers, inputs["codes"], schema) if schema.categories else []
    outputs = []
    for name, group in shape.groups.items():
        if shares[group.start : group.stop].any():
            features = join([*(_flatten(read, numbers, name == "bent") if read else []), *vectors])
            firsts = _fold_first(towers, name, len(numbers.centre))
            for place in group:
                if shares[place]:
                    hidden = _slice(firsts, place - group.start, shape.units[0])(features, "relu")
                    outputs.append(_finish(towers, hidden, place, shape))
    averaged = _average(outputs, shares[shares > 0], schema.target, scale, margin)
    return keras.Model(inputs, averaged, name="network")


def _flatten(read: tuple[Any, Any, Any], numbers: NumberScale, binned: bool) -> list[keras.KerasTensor]:
    scaled, missing, reach = read
    return [scaled, missing, keras.ops.reshape(reach, (-1, numbers.starts.size))] if binned else [scaled, missing]


def _copy_vectors(towers: keras.Model, codes: keras.KerasTensor, schema: Schema) -> list[keras.KerasTensor]:
    vectors = embed(codes, schema)
    ...


def _fold_first(towers: keras.Model, group: str, count: int) -> Dense:
    """Return the first layer of a group of towers as one on what `read_numbers` returns, then the categories' vectors.

    A vector of a number is linear in them, and so is the layer on it: one product is both.
    """
    kernel, bias = towers.get_layer(f"first_{group}").get_weights()
    if not count:
        return Dense(kernel, bias)
    width = count * SIZE
    folded, start = towers.get_layer(f"numbers_{group}").fold(kernel[:width])
    return Dense(np.concatenate([folded, kernel[width:]]), bias + start)


def _slice(layer: Dense, place: int, units: int) -> Dense:
    part = slice(place * units, (place + 1) * units)
    return Dense(layer.kernel[:, part], layer.bias[part])
