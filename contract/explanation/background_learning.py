"""Learns the background: which rows, and the attributions of each.

The rows are drawn so that their answers are spread as those of all training rows are: the rows that are offered are
ordered by their answers and cut into as many equal slices as rows are wanted; of each slice one is drawn at random. So
each row stands for as many others as the next, no weights are needed, and the mean answer, which is every explanation's
base value, is nearly that of the training table. (Medoids would need a distance between rows of mixed kinds, and
weights; and the centres of clusters have less spread than the rows have.)

Each row is then explained by all others. The walk from one to another is, backwards, the walk from the other to the
one: a pair serves both, with opposite signs. So all rows' attributions of a feature sum to 0, and one row's of all
features to its answer minus the mean answer, as Explaining relies on.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.background import Background
from ekiben.contract.explanation.units import to_units
from ekiben.contract.explanation.walks import Walks, find_effects
from ekiben.contract.schema import Schema, Target

MAX_BACKGROUND_ROWS = 64
MIN_BACKGROUND_ROWS = 4
MAX_CELLS = 2**26  # of all rows that learning asks for: 64 rows of up to 128 features, 4 of 2,000
MAX_ATTRIBUTIONS = 2**21  # 16 MiB in the package: 64 rows of 100 classes and 300 features
CHUNK_CELLS = 2**22  # of the rows that are asked for at once: 16 MiB
SEED = 5


def learn_background(schema: Schema, offered: Encoded, run: Callable[[Encoded], Answers]) -> Background:
    """Return the background of a model, drawn from training rows and explained by what `run` answers."""
    random = np.random.default_rng(SEED)
    answers = run(offered)
    chosen = _choose(schema.target, answers, count_rows(schema), random)
    rows = Encoded(offered.numbers[chosen], offered.codes[chosen])
    answers = answers[chosen]
    return Background(rows.numbers, rows.codes, answers, _explain_all(schema, rows, answers, run, random))


def count_rows(schema: Schema) -> int:
    """Return how many background rows a model gets: fewer the wider its rows are."""
    features, outputs = len(schema.names), len(schema.target.outputs)
    pair = (2 * features - 1) * max(features, outputs)
    walked = int((2 * MAX_CELLS / pair) ** 0.5)  # as half of all pairs of rows are
    kept = MAX_ATTRIBUTIONS // (features * outputs)
    return min(MAX_BACKGROUND_ROWS, max(MIN_BACKGROUND_ROWS, min(walked, kept)))


def _choose(target: Target, answers: Answers, rows: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return which rows to take, ordered by their answers; of many classes by the likeliest and its probability."""
    many = target.task == "multiclass"
    order = np.lexsort((answers.max(axis=1), answers.argmax(axis=1)) if many else (answers[:, 0],))
    edges = np.linspace(0, len(order), min(rows, len(order)) + 1).astype(int)
    chosen: NDArray[np.intp] = order[random.integers(edges[:-1], edges[1:])]
    return chosen


def _explain_all(
    schema: Schema, rows: Encoded, answers: Answers, run: Callable[[Encoded], Answers], random: np.random.Generator
) -> NDArray[np.float64]:
    """Return the attributions of background rows, (outputs, rows, features)."""
    walks, target = Walks(schema), schema.target
    outputs, features = len(target.outputs), len(schema.names)
    starts, ends = np.triu_indices(len(rows), k=1)
    attributions = np.zeros((outputs, len(rows), features))
    size = max(1, CHUNK_CELLS // (walks.rows_per_pair * features))
    for first in range(0, len(starts), size):
        start, end = starts[first : first + size], ends[first : first + size]
        orders = random.random((len(start), features)).argsort(axis=1)
        answered = run(walks.lay_out(orders, _take(rows, start), _take(rows, end)))
        for output in range(outputs):
            values = to_units(target, answered, output).reshape(len(orders), -1)
            effects = find_effects(orders, values, to_units(target, answers, output)[end])
            np.add.at(attributions[output], end, effects)
            np.subtract.at(attributions[output], start, effects)
    return attributions / len(rows)


def _take(rows: Encoded, indices: NDArray[np.intp]) -> Encoded:
    return Encoded(rows.numbers[indices], rows.codes[indices])
