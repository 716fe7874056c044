"""Walks from a background row to another row: a feature after another takes the other row's values.

Every walk is walked in one order of the features and in the opposite one, which is a pair.
"""

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Schema

Orders = NDArray[np.intp]  # (pairs, features): the position of each feature in the order of each pair


class Walks:
    """Makes the rows that lie on walks over one schema's features, and finds the effects in their answers."""

    def __init__(self, schema: Schema) -> None:
        position = {name: index for index, name in enumerate(schema.names)}
        plain, moments = schema.plain, schema.timestamps  # the columns of numbers, in this order
        wide = [1] * len(plain) + [2 * len(moment.cycles) for moment in moments]
        # Whose column it is: (numbers,) and (categories,). A moment's sines and cosines move together.
        self.number_features = np.repeat(np.array([position[f.name] for f in (*plain, *moments)], np.intp), wide)
        self.code_features = np.array([position[feature.name] for feature in schema.categories], np.intp)
        self.rows_per_pair = 2 * len(schema.names) - 1

    def lay_out(self, orders: Orders, starts: Encoded, ends: Encoded) -> Encoded:
        """Return the rows of pairs from starts to ends, (pairs,) rows each or one, without the ends themselves."""
        moved = _find_moved(orders)
        rows = moved.shape[0] * moved.shape[1]
        numbers = np.where(
            moved[:, :, self.number_features], ends.numbers[:, np.newaxis], starts.numbers[:, np.newaxis]
        )
        codes = np.where(moved[:, :, self.code_features], ends.codes[:, np.newaxis], starts.codes[:, np.newaxis])
        return Encoded(numbers.reshape(rows, -1), codes.reshape(rows, -1))


def _find_moved(orders: Orders) -> NDArray[np.bool_]:
    """Return which features have the end's values in each row of a pair, (pairs, rows, features).

    First none; then forwards the first of an order, the first two …; then backwards the last, the last two …
    """
    features = orders.shape[1]
    steps = np.arange(features)[:, np.newaxis]
    positions = orders[:, np.newaxis]
    return np.concatenate([positions < steps, positions >= features - steps[1:]], axis=1)


def find_effects(orders: Orders, values: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each feature's mean step, (pairs, features), on the two walks of a pair.

    `values`, (pairs, rows), are of the rows of `lay_out`, and `ends` of the rows that the pairs lead to, (pairs,) or
    one. The effects of a pair sum to the value of its end minus that of its start.
    """
    pairs, features = orders.shape
    walks = np.empty((pairs, 2, features + 1))
    walks[:, :, 0], walks[:, :, -1] = values[:, :1], ends[:, np.newaxis]
    walks[:, 0, 1:-1], walks[:, 1, 1:-1] = values[:, 1:features], values[:, features:]
    steps = np.diff(walks, axis=2)
    by_position = (steps[:, 0] + steps[:, 1, ::-1]) / 2
    return np.take_along_axis(by_position, orders, axis=1)
