"""Which columns give the target away: alone they predict it almost perfectly."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ekiben.training.proposal.features import Feature
from ekiben.training.proposal.reading import Reading
from ekiben.training.proposal.sample import Sample
from ekiben.training.tables.conversion import to_plain
from ekiben.training.tables.strings import to_strings

GIVEN_AWAY = 0.995  # of 1
HOPEFUL = 0.95
FOLDS = 4
MIN_ROWS = 20

Values = NDArray[np.float64]  # (rows,)


def find_leaks(features: Mapping[str, Feature], sample: Sample, target: str, reading: Reading | None) -> dict[str, str]:
    """Return the features that give the target away, and how well they do.

    `reading` is that of a target that is a number; None: it is a class.
    """
    known = to_plain(sample.column(target))
    given = known.is_valid()
    wanted = _to_values(known.filter(given), reading)
    leaks = {}
    for name, feature in features.items():
        values = _to_values(to_plain(sample.column(name)).filter(given), feature.reading)
        if reading is None:
            score, measure = score_classes(values, wanted), "balanced accuracy"
        else:
            score, measure = score_number(values, wanted, feature.reading is None), "R² of the ranks"
        if score >= GIVEN_AWAY:
            leaks[name] = f"gives the target away: {measure} {score:.3f} by itself; a feature if known beforehand"
    return leaks


def score_classes(values: Values, classes: Values) -> float:
    """Return how well one column alone tells the classes: the balanced accuracy of a decision tree.

    It is scored on rows it was not fitted to. NaN is a value like any other; of too rare classes
    nothing is said.
    """
    codes = classes.astype(int)
    kept = np.bincount(codes)[codes] >= FOLDS
    values, codes = values[kept], codes[kept]
    if len(codes) < MIN_ROWS or len(np.unique(codes)) < 2:
        return 0.0
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(values, codes)
    return _score(DecisionTreeClassifier(random_state=0), folds, _rank(values), codes, balanced_accuracy_score)


def score_number(values: Values, target: Values, is_category: bool) -> float:
    """Return how well one column alone tells a number: the share of the variance of its ranks.

    A column that has an order is judged by Spearman's correlation, a category by the R² of a
    decision tree on rows it was not fitted to. Rows without a value are left out.
    """
    kept = ~np.isnan(values)
    values, ranks = values[kept], rankdata(target[kept])
    if len(ranks) < MIN_ROWS or len(np.unique(values)) < 2 or len(np.unique(ranks)) < 2:
        return 0.0
    if not is_category:
        return float(np.corrcoef(rankdata(values), ranks)[0, 1] ** 2)
    folds = KFold(FOLDS, shuffle=True, random_state=0).split(values)
    return _score(DecisionTreeRegressor(random_state=0), folds, _rank(values), ranks, r2_score)


def _score(tree: Any, folds: Iterable[Any], columns: NDArray[Any], target: NDArray[Any], measure: Any) -> float:
    """Return the mean score of a tree on the rows left out; a bad first one says enough."""
    scores: list[float] = []
    for fitted, left_out in folds:
        tree.fit(columns[fitted], target[fitted])
        scores.append(measure(target[left_out], tree.predict(columns[left_out])))
        if scores[0] < HOPEFUL:
            break
    return float(np.mean(scores))


def _to_values(plain: pa.Array, reading: Reading | None) -> Values:
    """Return a column as numbers, NaN where missing; as codes if it is read as strings."""
    values = reading.read(plain) if reading else to_strings(plain).dictionary_encode().indices
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)


def _rank(values: Values) -> NDArray[np.float64]:
    """Return the positions of the values among the different ones, (rows, 1): trees count in float32."""
    indices = np.unique(values, return_inverse=True)[1]
    return np.where(np.isnan(values), np.nan, indices).reshape(-1, 1)
