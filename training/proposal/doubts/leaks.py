"""Which columns give the target away: alone they predict it almost perfectly."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ekiben.training.proposal.doubts.order import Values
from ekiben.training.proposal.doubts.values import Sampled
from ekiben.training.proposal.features import Feature

GIVEN_AWAY = 0.995  # of 1
HOPEFUL = 0.95
FOLDS = 4
MIN_ROWS = 20
MIN_REPEATED, REPEATED_SHARE = 40, 0.2  # rows of values that stand in several: fewer may agree by chance


def find_leaks(features: Mapping[str, Feature], sampled: Sampled, is_class: bool) -> dict[str, str]:
    """Return the features that give the target away, and how well they do."""
    leaks = {}
    for name, feature in features.items():
        values, wanted = sampled.columns[name], sampled.target
        if is_class:
            score, measure = score_classes(values, wanted), "balanced accuracy"
        else:
            score, measure = score_number(values, wanted, feature.reading is None), "R² of the ranks"
        if feature.reading is None and score < GIVEN_AWAY:
            score = score_repeated(values, wanted, is_class)
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


def score_repeated(codes: Values, target: Values, is_class: bool) -> float:
    """Return how well the other rows of one value tell a row's target: the measure is as above, the value a category's.

    A tree has not seen the rare values of which it is asked; here the rows of a value that stands alone are left out.
    """
    kept = ~np.isnan(codes)
    groups, target = codes[kept].astype(int), target[kept] if is_class else rankdata(target[kept])
    others = np.bincount(groups, minlength=1)[groups] - 1
    repeated = others > 0
    if np.count_nonzero(repeated) < max(MIN_REPEATED, REPEATED_SHARE * len(codes)):
        return 0.0
    groups, target, others = groups[repeated], target[repeated], others[repeated]
    if not is_class:
        told = (np.bincount(groups, target)[groups] - target) / others
        return float(r2_score(target, told)) if np.ptp(target) else 0.0
    labels = target.astype(int)
    if np.bincount(labels).max(initial=0) > len(labels) - FOLDS:
        return 0.0
    agree = np.unique(np.column_stack([groups, labels]), axis=0, return_inverse=True, return_counts=True)
    same = agree[2][agree[1].ravel()] - 1  # others of the value that are of this class
    return float(np.mean([np.mean((same / others)[labels == label]) for label in np.unique(labels)]))


def _score(tree: Any, folds: Iterable[Any], columns: NDArray[Any], target: NDArray[Any], measure: Any) -> float:
    """Return the mean score of a tree on the rows left out; a bad first one says enough."""
    scores: list[float] = []
    for fitted, left_out in folds:
        tree.fit(columns[fitted], target[fitted])
        scores.append(measure(target[left_out], tree.predict(columns[left_out])))
        if scores[0] < HOPEFUL:
            break
    return float(np.mean(scores))


def _rank(values: Values) -> NDArray[np.float64]:
    """Return the positions of the values among the different ones, (rows, 1): trees count in float32."""
    indices = np.unique(values, return_inverse=True)[1]
    return np.where(np.isnan(values), np.nan, indices).reshape(-1, 1)
