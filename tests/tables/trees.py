"""Boosted trees as their libraries bring them, stopped early by the validation rows; each on one thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from tests.tables.data import Data, cpu_seconds

MAX_ROUNDS = 3000
PATIENCE = 50  # rounds without a better validation loss
MAX_SKLEARN_CODES = 254  # of a category: the rarest are the unseen value
NEVER = float("inf")

LIGHTGBM_OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}


@dataclass(frozen=True)
class Answers:
    """What trees answer, (rows, outputs) each as `score` takes it."""

    validation: NDArray[np.float64]
    test: NDArray[np.float64]


Fit = Callable[[Data, int, Mapping[str, Any], float], Answers]


def fit_lightgbm(
    data: Data, seed: int, parameters: Mapping[str, Any], stop_at: float = NEVER, again: bool = False
) -> Answers:
    """Fit LightGBM; at `stop_at`, in CPU seconds, it stops with what it has.

    With `again` it is fitted once more, for as many rounds, to the validation rows too.
    """
    import lightgbm

    task = data.target.task
    told = {
        "objective": LIGHTGBM_OBJECTIVES[task], "seed": seed, "num_threads": 1, "verbosity": -1,
        "num_class": len(data.target.classes) if task == "multiclass" else 1,
    }  # fmt: skip
    train = lightgbm.Dataset(data.train.inputs, data.train.labels, categorical_feature=list(data.categories))
    validation = lightgbm.Dataset(data.validation.inputs, data.validation.labels, reference=train)

    def stop(state: Any) -> None:
        if cpu_seconds() > stop_at:
            raise lightgbm.callback.EarlyStopException(state.iteration, state.evaluation_result_list)

    booster = lightgbm.train(
        {**told, **parameters}, train, MAX_ROUNDS, [validation],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), stop],
    )  # fmt: skip
    if again:
        both = lightgbm.Dataset(data.both.inputs, data.both.labels, categorical_feature=list(data.categories))
        booster = lightgbm.train({**told, **parameters}, both, booster.best_iteration)
    return _answer(booster.predict, data, lambda part: part)


def fit_catboost(
    data: Data, seed: int, parameters: Mapping[str, Any], stop_at: float = NEVER, again: bool = False
) -> Answers:
    """Fit CatBoost; at `stop_at`, in CPU seconds, it stops with what it has.

    With `again` it is fitted once more, for as many rounds, to the validation rows too.
    """
    import catboost

    class Clock:
        def after_iteration(self, _: Any) -> bool:
            return cpu_seconds() < stop_at

    told: dict[str, Any] = {
        "random_seed": seed, "thread_count": 1, "logging_level": "Silent", "allow_writing_files": False,
    }  # fmt: skip
    if data.target.task == "multiclass":
        told |= {"loss_function": "MultiClass", "classes_count": len(data.target.classes)}
    kind = catboost.CatBoostRegressor if data.target.task == "regression" else catboost.CatBoostClassifier
    model = kind(**told, **parameters, early_stopping_rounds=PATIENCE)

    def as_table(inputs: NDArray[np.float32]) -> pd.DataFrame:
        table = pd.DataFrame(inputs)
        return table.astype(dict.fromkeys(data.categories, np.int32))

    model.fit(
        as_table(data.train.inputs), data.train.labels, cat_features=list(data.categories),
        eval_set=(as_table(data.validation.inputs), data.validation.labels), callbacks=[Clock()],
    )  # fmt: skip
    if again:
        model = kind(**{**told, **parameters, "learning_rate": model.learning_rate_, "iterations": model.tree_count_})
        model.fit(as_table(data.both.inputs), data.both.labels, cat_features=list(data.categories))
    predict = model.predict if data.target.task == "regression" else model.predict_proba
    return _answer(predict, data, as_table)


def fit_sklearn(data: Data, seed: int, parameters: Mapping[str, Any], stop_at: float = NEVER) -> Answers:
    """Fit scikit-learn's HistGradientBoosting; it does not look at the clock."""
    kind = HistGradientBoostingRegressor if data.target.task == "regression" else HistGradientBoostingClassifier
    pool = _find_rare(data)
    trees = kind(
        random_state=seed, max_iter=MAX_ROUNDS, n_iter_no_change=PATIENCE, early_stopping=True,
        categorical_features=list(data.categories) or None, **parameters,
    )  # fmt: skip
    with threadpool_limits(1):
        validation = pool(data.validation.inputs)
        trees.fit(pool(data.train.inputs), data.train.labels, X_val=validation, y_val=data.validation.labels)
        if data.target.task == "regression":
            return _answer(trees.predict, data, pool)
        return _answer(lambda rows: _spread(trees, data, rows), data, pool)


def _answer(predict: Callable[[Any], NDArray[Any]], data: Data, convert: Callable[[Any], Any]) -> Answers:
    """Return the answers to both parts; of two classes the probability of the second."""
    parts = []
    for part in (data.validation, data.test):
        answers = np.asarray(predict(convert(part.inputs)), np.float64)
        answers = answers.reshape(len(part.labels), -1)
        parts.append(answers[:, -1:] if data.target.task == "binary" else answers)
    return Answers(*parts)


def _spread(trees: Any, data: Data, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a probability for each class, also for those without a training row."""
    answers = np.zeros((len(rows), len(data.target.classes)))
    answers[:, trees.classes_.astype(int)] = trees.predict_proba(rows)
    return answers


def _find_rare(data: Data) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return what makes the rarest codes of a category the unseen one, 0, as scikit-learn takes few of them."""
    codes_of = {index: data.train.inputs[:, index].astype(int) for index in data.categories}
    ranks = {}
    for index, codes in codes_of.items():
        frequent = np.argsort(-np.bincount(codes), kind="stable")[:MAX_SKLEARN_CODES]
        ranks[index] = {code: rank + 1 for rank, code in enumerate(frequent)}

    def pool(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        pooled = inputs.copy()
        for index, rank in ranks.items():
            pooled[:, index] = [rank.get(code, 0) for code in inputs[:, index].astype(int)]
        return pooled

    return pool
