"""Perturbed copies of rows, which lie near the rows and between them."""

import numpy as np

from ekiben.contract.encoding import Encoded
from ekiben.training.network.scaling import NumberScale

CANDIDATES = 6  # rows drawn for a copy, of which the nearest lends
LENT = (0.15, 0.5)  # share of a copy's entries that are the other row's
BLOCK_ROWS = 8192


def copy_rows(encoded: Encoded, scale: NumberScale, copies: int, random: np.random.Generator) -> Encoded:
    """Return so many copies of each row in which entries are those of a row nearby."""
    blocks = [
        _copy_block(encoded, np.arange(start, min(start + BLOCK_ROWS, len(encoded))), scale, random)
        for _ in range(copies)
        for start in range(0, len(encoded), BLOCK_ROWS)
    ]
    return Encoded(
        np.concatenate([block.numbers for block in blocks]), np.concatenate([block.codes for block in blocks])
    )


def _copy_block(encoded: Encoded, rows: np.ndarray, scale: NumberScale, random: np.random.Generator) -> Encoded:
    others = random.integers(0, len(encoded), (len(rows), CANDIDATES))
    here, there = ((encoded.numbers[places], encoded.codes[places]) for places in (rows[:, None], others))
    between = np.nan_to_num((here[0] - there[0]) / scale.spread)  # what is missing lies near everything
    distance = np.square(between).sum(axis=2) + (here[1] != there[1]).sum(axis=2)
    nearest = others[np.arange(len(rows)), distance.argmin(axis=1)]
    share = random.uniform(*LENT, (len(rows), 1))
    numbers, codes = (
        np.where(random.random(array[rows].shape) < share, array[nearest], array[rows])
        for array in (encoded.numbers, encoded.codes)
    )
    return Encoded(numbers, codes)
