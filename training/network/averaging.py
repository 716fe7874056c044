"""The network that is packed: the chosen towers as plain Dense layers, and the mean of their answers."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ekiben.contract.schema import Target
from ekiben.training.network import ordinal
from ekiben.training.network.architecture import Design, join
from ekiben.training.network.number_vectors import SIZE, Reading, flatten_numbers, read_numbers
from ekiben.training.network.scaling import TargetScale


@dataclass(frozen=True)
class Dense:
    """A layer's weights: (inputs, units) and (units,)."""

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, inputs: Any, activation: str | None = None) -> Any:
        layer = keras.layers.Dense(len(self.bias), activation=activation)
        outputs = layer(inputs)
        layer.set_weights([self.kernel, self.bias])
        return outputs


def average_towers(
    towers: keras.Model, design: Design, shares: np.ndarray | None = None, margin: float = 0.0, shift: float = 0.0
) -> keras.Model:
    """Return the network: the mean of the towers' answers by their `shares`, (towers,), as the target has them.

    Towers without a share are left out. A regression's value is moved by `shift` and its bounds apart by `margin`, in
    the target's scale, and these never cross the value.
    """
    count, shape = len(design.shape.towers), design.shape
    shares = np.full(count, 1 / count) if shares is None else shares
    read = read_numbers(_hide(towers, design), design.numbers) if design.schema.number_names else None
    vectors = [towers.get_layer("categories").output] if design.schema.categories else []
    outputs = []
    for name, group in shape.groups.items():
        chosen = [place for place in group if shares[place]]
        if chosen:
            features = join([*(flatten_numbers(*read, name != "line") if read else []), *vectors])
            first = _fold_first(towers, name, len(design.numbers.centre))
            units = shape.units[0]
            outputs += [_run(towers, features, _cut(first, place - group[0], units), place) for place in chosen]
    stacked = keras.ops.stack(outputs, axis=1)
    if design.monotone:
        stacked = design.monotone.move(stacked, towers.input["numbers"])
    answers = _answer(stacked, shares[shares > 0], design.schema.target, design.target, (margin, shift))
    return keras.Model(towers.input, answers, name="network")


def _hide(towers: keras.Model, design: Design) -> Any:
    """Return the numbers as the towers see them."""
    numbers = towers.input["numbers"]
    return design.monotone.hide(numbers) if design.monotone else numbers


def _fold_first(towers: keras.Model, group: Reading, numbers: int) -> Dense:
    """Return the first layer of a group of towers on what `read_numbers` returns, and then on the categories' vectors.

    A number's vector is linear in those, and so is the layer on it: one product is both.
    """
    kernel, bias = towers.get_layer(f"first_{group}").get_weights()
    if not numbers or group == "bins":
        return Dense(kernel, bias)
    folded, start = towers.get_layer(f"numbers_{group}").fold(kernel[: numbers * SIZE])
    return Dense(np.concatenate([folded, kernel[numbers * SIZE :]]), bias + start)


def _cut(layer: Dense, place: int, units: int) -> Dense:
    part = slice(place * units, (place + 1) * units)
    return Dense(layer.kernel[:, part], layer.bias[part])


def _run(towers: keras.Model, features: Any, first: Dense, place: int) -> Any:
    """Return the outputs of the tower in this place, (rows, outputs)."""
    hidden = first(features, "relu")
    for layer in towers.layers:
        if layer.name.startswith("hidden"):
            hidden = _weights(layer, place)(hidden, "relu")
    return _weights(towers.get_layer("last"), place)(hidden)


def _weights(layer: keras.Layer, place: int) -> Dense:
    kernel, bias = layer.get_weights()
    return Dense(kernel[place], bias[place])


def _answer(outputs: Any, shares: np.ndarray, target: Target, scale: TargetScale, moved: tuple[float, float]) -> Any:
    """Return the answers, (rows, outputs), from those of each tower, (rows, towers, outputs)."""
    if target.task == "binary":
        outputs = keras.ops.sigmoid(outputs)
    elif target.ordered:
        outputs = ordinal.give_probabilities(outputs)
    elif target.task == "multiclass":
        outputs = keras.ops.softmax(outputs, axis=2)
    mean = keras.ops.sum(outputs * shares.astype(np.float32)[:, None], axis=1)
    return scale.restore(_bound(mean, *moved), keras.ops) if target.task == "regression" else mean


def _bound(outputs: Any, margin: float, shift: float) -> Any:
    """Return value, low and high, (rows, 3), in this order of size: low, value, high."""
    value, low, high = (outputs[:, index : index + 1] for index in range(3))
    value = value + shift if shift else value
    low, high = keras.ops.minimum(value, low - margin), keras.ops.maximum(value, high + margin)
    return keras.layers.Concatenate()([value, low, high])
