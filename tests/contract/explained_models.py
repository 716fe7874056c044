"""Models whose Shapley values are known: by enumeration of all coalitions, or in closed form."""

from collections.abc import Callable
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.background_learning import learn_background
from ekiben.contract.explanation.explaining import Explainer
from ekiben.contract.explanation.units import to_units
from ekiben.contract.explanation.walks import Walks
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema, Target
from tests.every_kind import SCHEMA

Run = Callable[[Encoded], NDArray[np.float32]]
PRICE = Target(name="price", task="regression", unit="EUR")
SIZE = Target(name="size", task="multiclass", classes=("s", "m", "l"))


def number_schema(features: int, target: Target = PRICE) -> Schema:
    """A schema of so many numbers."""
    numbers = tuple(Number(name=f"x{index}", low=-100, high=100, nullable=True) for index in range(features))
    return Schema(name="numbers", features=numbers, target=target)


def make_rows(schema: Schema, rows: int, seed: int = 0) -> Encoded:
    """Return random rows; one number in ten is missing."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, len(schema.number_names))).astype(np.float32)
    numbers[random.random(numbers.shape) < 0.1] = np.nan
    tops = [len(category.vocabulary) + 1 for category in schema.categories]
    return Encoded(numbers, random.integers(0, tops, (rows, len(tops)), dtype=np.int32))


def make_network(schema: Schema, seed: int = 1) -> Run:
    """Return a small random network with interactions between all inputs, missing ones and codes among them."""
    random = np.random.default_rng(seed)
    width = 2 * len(schema.number_names) + len(schema.categories)
    first = random.normal(size=(width, 16)) / width**0.5
    second = random.normal(size=(16, len(schema.target.outputs)))

    def run(rows: Encoded) -> NDArray[np.float32]:
        missing = np.isnan(rows.numbers)
        inputs = np.concatenate([np.where(missing, 0, rows.numbers), missing, rows.codes], axis=1)
        outputs = np.tanh(inputs @ first) @ second
        if schema.target.task == "binary":
            outputs = 1 / (1 + np.exp(-outputs))
        if schema.target.task == "multiclass":
            outputs = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        return outputs.astype(np.float32)

    return run


def make_explainer(schema: Schema, run: Run, offered: int = 200) -> Explainer:
    return Explainer(schema, learn_background(schema, make_rows(schema, offered, seed=2), run))


def enumerate_shapley(explainer: Explainer, row: Encoded, run: Run, output: int) -> NDArray[np.float64]:
    """Return the Shapley values, (features,), by their definition: over all coalitions and background rows."""
    schema, background = explainer.schema, explainer.background.rows
    features, walks = len(schema.names), Walks(schema)
    worths: dict[frozenset[int], float] = {}
    for size in range(features + 1):
        for moved in combinations(range(features), size):
            mixed = mix(walks, background, row, moved)
            worths[frozenset(moved)] = to_units(schema.target, run(mixed), output).mean()
    values = np.zeros(features)
    for moved_set, worth in worths.items():
        for feature in set(range(features)) - moved_set:
            weight = 1 / (features * comb(features - 1, len(moved_set)))
            values[feature] += weight * (worths[moved_set | {feature}] - worth)
    return values


def mix(walks: Walks, background: Encoded, row: Encoded, moved: tuple[int, ...]) -> Encoded:
    """Return the background rows with a row's values of some features."""
    numbers, codes = background.numbers.copy(), background.codes.copy()
    for column, feature in enumerate(walks.number_features):
        if feature in moved:
            numbers[:, column] = row.numbers[0, column]
    for column, feature in enumerate(walks.code_features):
        if feature in moved:
            codes[:, column] = row.codes[0, column]
    return Encoded(numbers, codes)


EVERY_KIND = SCHEMA  # 8 features, 2 of them moments of several columns
