"""Permutation importance: how much higher the loss is when a feature has the values of other rows (Breiman 2001)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.walks import Walks
from ekiben.contract.schema import Schema
from ekiben.training.evaluate.fairness import Interval
from ekiben.training.report.counting import EACH_AS_ITSELF, Counting, find_error, find_mean
from ekiben.training.report.drawn_metrics import lose

MAX_ROWS = 2000  # of the test rows, spread evenly
MIN_ROWS = 10  # or groups
MAX_FEATURES = 50
MAX_CELLS = 2**24  # of all rows that are asked for, 64 MB: 2,000 rows of up to 90 inputs for each of 50 features
SEED = 3
TAIL = 0.025  # of a 95% interval


@dataclass(frozen=True)
class Increase:
    """By how much the mean loss is higher without a feature."""

    feature: str
    loss: Interval


def permute_features(
    schema: Schema,
    names: Sequence[str],
    rows: Encoded,
    labels: np.ndarray,
    run: Callable[[Encoded], Answers],
    counting: Counting = EACH_AS_ITSELF,
) -> list[Increase]:
    """Return the increase for the first MAX_FEATURES of the names, the largest first; none of fewer than MIN_ROWS."""
    names = names[:MAX_FEATURES]
    inputs = rows.numbers.shape[1] + rows.codes.shape[1]
    most = min(MAX_ROWS, max(MIN_ROWS, MAX_CELLS // ((1 + len(names)) * inputs)))
    chosen = np.unique(np.linspace(0, len(labels) - 1, most).astype(np.intp))
    counting = counting.take(chosen)
    if counting.count_units(len(chosen)) < MIN_ROWS:
        return []
    numbers, codes, labels = rows.numbers[chosen], rows.codes[chosen], labels[chosen]
    walks, random = Walks(schema), np.random.default_rng(SEED)
    blocks = [Encoded(numbers, codes)]
    for name in names:
        feature, order = schema.names.index(name), random.permutation(len(chosen))
        blocks.append(
            Encoded(
                np.where(walks.number_features == feature, numbers[order], numbers),
                np.where(walks.code_features == feature, codes[order], codes),
            )
        )
    asked = Encoded(np.concatenate([b.numbers for b in blocks]), np.concatenate([b.codes for b in blocks]))
    answers = run(asked).reshape(len(blocks), len(chosen), -1)
    usual, *others = (lose(schema.target, labels, block) for block in answers)
    increases = [Increase(name, _find_mean(other - usual, counting)) for name, other in zip(names, others, strict=True)]
    return sorted(increases, key=lambda one: -one.loss.value)


def _find_mean(values: np.ndarray, counting: Counting) -> Interval:
    mean, moves = find_mean(values, counting)
    reach = float(-t.ppf(TAIL, counting.count_units(len(values)) - 1) * find_error(moves, counting))
    return Interval(mean, mean - reach, mean + reach)
