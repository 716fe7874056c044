"""The Keras network that is fitted: encoded numbers and codes in, the outputs of towers that differ out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Schema
from ekiben.training.network import ordinal
from ekiben.training.network.monotone import MonotoneNumbers
from ekiben.training.network.number_vectors import SIZE, Reading, read_group
from ekiben.training.network.scaling import NumberScale, TargetScale


@dataclass(frozen=True)
class Tower:
    """In what a tower differs from the others.

    No dropout is right for every table: large ones want next to none, small and noisy ones half; nor is one way to read
    numbers. Validation rows choose.
    """

    dropout: float = 0.0
    teacher_share: float = 0.0  # of what it learns
    reads: Reading = "vectors"


@dataclass(frozen=True)
class Shape:
    """How large the network is; towers that read numbers alike stand together."""

    units: tuple[int, ...] = (128, 64)
    towers: tuple[Tower, ...] = tuple(map(Tower, (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)))

    @property
    def groups(self) -> dict[Reading, list[int]]:
        """The places of the towers that read numbers alike, in their order."""
        groups: dict[Reading, list[int]] = {}
        for place, tower in enumerate(self.towers):
            groups.setdefault(tower.reads, []).append(place)
        return groups


@dataclass(frozen=True)
class Design:
    """What a network is built from."""

    schema: Schema
    numbers: NumberScale
    target: TargetScale
    shape: Shape = Shape()
    monotone: MonotoneNumbers | None = None


class TowerDropout(keras.layers.Layer):
    """Drops a share of each tower's units, (rows, towers, units), in training."""

    def __init__(self, rates: Sequence[float]) -> None:
        super().__init__()
        self._keep = 1 - np.array(rates, np.float32)[:, None]
        self._seeds = keras.random.SeedGenerator()

    def call(self, hidden: Any, training: bool = False) -> Any:
        if not training or (self._keep == 1).all():
            return hidden
        kept = keras.random.uniform(keras.ops.shape(hidden), seed=self._seeds) < self._keep
        return hidden * keras.ops.cast(kept, hidden.dtype) / self._keep


def build_towers(design: Design) -> keras.Model:
    """Return the towers, which are what is fitted: encoded rows in, (rows, towers, outputs) out.

    Inputs are `numbers` (rows, n) float32 and `codes` (rows, c) int32. A classifier's outputs are
    logits; a regression's the mean and the two bounds in the target's scale. Untrained, a
    tower answers about the base rates, or the mean.
    """
    schema, shape, monotone = design.schema, design.shape, design.monotone
    sizes = {"numbers": (len(schema.number_names), "float32"), "codes": (len(schema.categories), "int32")}
    inputs = {name: keras.Input((size,), name=name, dtype=dtype) for name, (size, dtype) in sizes.items() if size}
    vectors = [embed(inputs["codes"], schema)] if "codes" in inputs else []
    seen = monotone.hide(inputs["numbers"]) if monotone else inputs.get("numbers")
    firsts = []
    for name, group in shape.groups.items():
        read = [read_group(seen, design.numbers, name)] if "numbers" in inputs else []
        features = join([*read, *vectors])
        width = shape.units[0]
        first = keras.layers.Dense(len(group) * width, kernel_initializer="lecun_uniform", name=f"first_{name}")
        firsts.append(keras.ops.reshape(first(features), (-1, len(group), width)))
    hidden = keras.layers.Concatenate(axis=1)(firsts) if len(firsts) > 1 else firsts[0]
    for index, width in enumerate(shape.units[1:]):
        hidden = dense_towers(width, shape, f"hidden_{index}", "zeros")(activate(hidden, shape))
    start = monotone.start(design.target.start) if monotone else design.target.start
    outputs = dense_towers(len(start), shape, "last", keras.initializers.Constant(start))(activate(hidden, shape))
    if monotone:
        outputs = monotone.move(outputs, inputs["numbers"])
    if schema.target.ordered:
        outputs = ordinal.give_log_probabilities(outputs)
    return keras.Model(inputs, outputs, name="towers")


def embed(codes: keras.KerasTensor, schema: Schema) -> keras.KerasTensor:
    """Return one learned vector for each category side by side; code 0, the unseen value, has its own."""
    sizes = [len(feature.vocabulary) + 1 for feature in schema.categories]
    starts = np.cumsum([0, *sizes[:-1]]).astype(np.int32)  # one table for all: one look-up
    places = keras.ops.subtract(
        codes, -starts
    )  # TensorFlow makes a bias of what is added, LiteRT adds none to integers
    vectors = keras.layers.Embedding(sum(sizes), SIZE)(places)
    return keras.layers.Reshape((len(sizes) * SIZE,), name="categories")(vectors)


def join(parts: list[keras.KerasTensor]) -> keras.KerasTensor:
    """Return tensors side by side."""
    return keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]


def activate(hidden: keras.KerasTensor, shape: Shape) -> keras.KerasTensor:
    """Return what of the units of all towers the next layer sees."""
    return TowerDropout([tower.dropout for tower in shape.towers])(keras.ops.relu(hidden))


def dense_towers(units: int, shape: Shape, name: str, bias: Any) -> keras.layers.Layer:
    """Return a Dense layer for each tower: (rows, towers, inputs) to (rows, towers, units)."""
    glorot = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform", input_axes=(1,), output_axes=(2,))
    return keras.layers.EinsumDense(
        "rti,tiu->rtu",
        (len(shape.towers), units),
        bias_axes="tu",
        kernel_initializer=glorot,
        bias_initializer=bias,
        name=name,
    )


def network_inputs(encoded: Encoded) -> dict[str, np.ndarray]:
    """Return the encoded rows under the network's input names."""
    arrays = {"numbers": encoded.numbers, "codes": encoded.codes}
    return {name: array for name, array in arrays.items() if array.shape[1]}
