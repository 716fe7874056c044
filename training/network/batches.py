"""The batches of a fit, drawn from arrays that may lie in a file and be larger than memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ekiben.contract.encoding import Encoded
from ekiben.training.network.architecture import network_inputs

WINDOW_ROWS = 2**20  # shuffled at once, and held in memory while they are trained on
RUN_ROWS = 1024  # that stay together in a larger table: read from a disk in one piece


@dataclass(frozen=True)
class TaughtRows:
    """Encoded rows, and what gives those in some positions their targets, (rows, targets) float32, as in `losses`."""

    encoded: Encoded
    targets: Callable[[np.ndarray], np.ndarray]


def stream_batches(sources: Sequence[TaughtRows], batch_rows: int, block: int, seed: int) -> tf.data.Dataset:
    """Return endless batches, each with as many rows of every source, shuffled; `block` are gathered at a time."""
    share = batch_rows // len(sources)

    def gather() -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        random = np.random.default_rng(seed)  # Keras begins twice
        draws = [draw_rows(len(source.encoded), block * share, random) for source in sources]
        while True:
            parts = [_take(source, next(draw), share) for source, draw in zip(sources, draws, strict=True)]
            inputs = {name: np.concatenate([part[0][name] for part in parts], axis=1) for name in parts[0][0]}
            yield inputs, np.concatenate([part[1] for part in parts], axis=1)

    spec = {
        name: tf.TensorSpec((None, None, array.shape[1]), array.dtype)
        for name, array in network_inputs(sources[0].encoded).items()
    }
    columns = sources[0].targets(np.arange(1)).shape[1]
    targets = tf.TensorSpec((None, None, columns), tf.float32)
    batches = tf.data.Dataset.from_generator(gather, output_signature=(spec, targets)).unbatch()
    batches.batch_size = batch_rows  # which MLflow logs
    return batches


def draw_rows(rows: int, count: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the positions of `count` rows at a time without end, each row once in every round."""
    waiting = np.empty(0, np.int64)
    while True:
        for window in shuffle(rows, random):
            waiting = np.concatenate([waiting, window])
            while len(waiting) >= count:
                yield waiting[:count]
                waiting = waiting[count:]


def shuffle(rows: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield all positions in windows: runs in random order, and the rows of a window's runs mixed."""
    if rows <= WINDOW_ROWS:
        yield random.permutation(rows)
        return
    starts = RUN_ROWS * random.permutation(-(-rows // RUN_ROWS))
    runs = WINDOW_ROWS // RUN_ROWS
    for first in range(0, len(starts), runs):
        positions = (starts[first : first + runs, None] + np.arange(RUN_ROWS)).ravel()
        yield random.permutation(positions[positions < rows])


def _take(source: TaughtRows, positions: np.ndarray, rows: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return rows as batches of so many: (batches, rows, columns)."""
    arrays = {name: array[positions] for name, array in network_inputs(source.encoded).items()}
    arrays["targets"] = source.targets(positions)
    batches = {name: array.reshape(-1, rows, array.shape[1]) for name, array in arrays.items()}
    return batches, batches.pop("targets")
