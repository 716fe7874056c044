"""How towers read numbers: as their reach through bins, or as learned vectors.

A vector bends at the edges of its number's bins, or is straight along it, which extrapolates. Vectors do better where
validation rows choose the epoch and the towers; a bare reach, which is learned more slowly, where nothing is chosen.
"""

from typing import Any, Literal

import keras
import numpy as np

from ekiben.training.network.scaling import NumberScale

Reading = Literal["vectors", "bins", "line"]

CLIP = 4.0  # scales from the centre; an outlier must not drown the other inputs
SIZE = 8


def read_numbers(numbers: Any, scale: NumberScale) -> tuple[Any, Any, Any]:
    """Return the numbers around 0 with missing ones at 0, where they were missing, and their reach through their bins.

    All are (rows, numbers), the last (rows, numbers, bins) from 0 to 1: the piecewise-linear code of Gorishniy,
    Rubachev and Babenko, On Embeddings for Numerical Features in Tabular Deep Learning (2022).
    """
    missing = keras.ops.isnan(numbers)
    scaled = keras.ops.where(missing, 0.0, keras.ops.clip((numbers - scale.centre) / scale.spread, -CLIP, CLIP))
    reach = keras.ops.clip((keras.ops.expand_dims(scaled, 2) - scale.starts) * scale.slopes, 0.0, 1.0)
    return scaled, keras.ops.cast(missing, "float32"), reach


def flatten_numbers(scaled: Any, missing: Any, reach: Any, binned: bool) -> list[Any]:
    """Return what `read_numbers` returns, side by side in parts of two dimensions; without `binned` no reach."""
    return [scaled, missing, *([keras.layers.Flatten()(reach)] if binned and reach.shape[2] else [])]


def read_group(numbers: Any, scale: NumberScale, reads: Reading) -> Any:
    """Return what towers that read alike see of the numbers, (rows, features)."""
    if reads == "bins":
        return keras.layers.Concatenate()(flatten_numbers(*read_numbers(numbers, scale), binned=True))
    return NumberVectors(scale, reads == "vectors", f"numbers_{reads}")(numbers)


class NumberVectors(keras.layers.Layer):
    """Numbers, (rows, n), to their vectors side by side, (rows, n × SIZE); without `binned` straight lines."""

    def __init__(self, scale: NumberScale, binned: bool, name: str) -> None:
        super().__init__(name=name)
        self._scale, self._binned = scale, binned and scale.starts.shape[1] > 0

    def build(self, shape: tuple[int | None, int]) -> None:
        count, bins = self._scale.starts.shape
        spread = keras.initializers.RandomUniform(-(SIZE**-0.5), SIZE**-0.5)
        self.line = self.add_weight((count, SIZE), spread, name="line")
        self.missing = self.add_weight((count, SIZE), spread, name="missing")
        self.start = self.add_weight((count, SIZE), spread, name="start")
        self.bent = self.add_weight((count, bins, SIZE), "zeros", name="bent") if self._binned else None

    def call(self, numbers: Any) -> Any:
        scaled, missing, reach = read_numbers(numbers, self._scale)
        vectors = scaled[:, :, None] * self.line + missing[:, :, None] * self.missing + self.start
        if self.bent is not None:
            vectors += keras.ops.einsum("rnb,nbs->rns", reach, self.bent)
        return keras.ops.reshape(vectors, (-1, len(self._scale.centre) * SIZE))

    def fold(self, kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a Dense kernel on these vectors, (n × SIZE, units), as one on what `read_numbers` returns; its bias.

        They are ((2 + bins) × n, units), bins innermost, and (units,).
        """
        kernel = kernel.astype(np.float64).reshape(len(self._scale.centre), SIZE, -1)  # (n, SIZE, units)
        line, missing = (np.einsum("ns,nsu->nu", part.numpy(), kernel) for part in (self.line, self.missing))
        parts = [line, missing]
        if self.bent is not None:
            parts.append(np.einsum("nbs,nsu->nbu", self.bent.numpy(), kernel).reshape(-1, kernel.shape[-1]))
        return np.concatenate(parts), np.einsum("ns,nsu->u", self.start.numpy(), kernel)
