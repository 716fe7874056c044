"""What a model is compared with: the answer that needs no features, and LightGBM as it comes, where it is installed."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.schema import Target
from ekiben.training.evaluate.weights import Weights, mean
from ekiben.training.preparation import Prepared

TREES = "lightgbm"  # the extra `ekiben[trees]`
MAX_ROWS = 200_000  # that trees are fitted to, spread evenly: some seconds
MAX_CLASSES = 50  # boosting fits as many trees a step
SEED = 0


@dataclass(frozen=True)
class Baseline:
    """A name for people, and answers to the test rows."""

    name: str
    answers: NDArray[Any]  # (test rows, outputs)


def find_baselines(prepared: Prepared) -> Iterator[Baseline]:
    """Yield what the model is to be better than; the first needs no features."""
    target, test = prepared.schema.target, prepared.labels[2]
    name = "the mean" if target.task == "regression" else "the base rate"
    yield Baseline(name, np.tile(answer_all(target, *join_known(prepared)), (len(test), 1)))
    if find_spec(TREES) and len(target.classes) <= MAX_CLASSES:
        yield from fit_trees(prepared)


def join_known(prepared: Prepared) -> tuple[NDArray[Any], Weights]:
    """Return the labels and the weights of the rows to train and then of those to validate on."""
    labels, (train, validation, _) = np.concatenate(prepared.labels[:2]), prepared.weights
    return labels, None if train is None or validation is None else np.concatenate([train, validation])


def answer_all(target: Target, labels: np.ndarray, weights: Weights = None) -> NDArray[np.float64]:
    """Return the best answer to every row, (outputs,), by the labels of training: the mean, or the classes' shares."""
    if target.task == "multiclass":
        counts = np.bincount(labels, weights, minlength=len(target.classes))
        return counts / counts.sum()
    return np.array([mean(labels.astype(np.float64), weights)])


def fit_trees(prepared: Prepared) -> Iterator[Baseline]:
    """Yield what LightGBM answers with its own settings, fitted to the encoded rows to train and to validate on."""
    library: Any = import_module(TREES)
    target, encoder = prepared.schema.target, Encoder(prepared.schema)
    known, weights = join_known(prepared)
    rows = np.unique(np.linspace(0, len(known) - 1, MAX_ROWS).astype(np.intp))
    labels = known[rows]
    if len(np.unique(labels)) < 2:
        return
    kind = library.LGBMRegressor if target.task == "regression" else library.LGBMClassifier
    trees = kind(random_state=SEED, verbosity=-1, n_jobs=1)  # several threads wait for each other on a busy machine
    parts = prepared.parts
    frame = pd.concat([parts.train, parts.validation]).iloc[rows]
    train, test = (_join(encoder.encode(part)) for part in (frame, parts.test))
    inputs, categories = train.shape[1], len(prepared.schema.categories)
    counted = None if weights is None else weights[rows]
    try:
        trees.fit(train, labels, sample_weight=counted, categorical_feature=list(range(inputs - categories, inputs)))
    except library.basic.LightGBMError as error:  # the model is trained: no baseline is worth losing it
        print(f"note: the report has no LightGBM, which could not be fitted ({error})")
        return
    trained, whole = len(labels), sum(parts.sizes[:2])
    name = "LightGBM" if trained == whole else f"LightGBM on {trained:,} of {whole:,} rows"
    yield Baseline(name, _answer(trees, target, test))


def _join(encoded: Encoded) -> NDArray[np.float32]:
    return np.hstack([encoded.numbers, encoded.codes.astype(np.float32)])


def _answer(trees: Any, target: Target, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    if target.task == "regression":
        return np.asarray(trees.predict(rows), np.float64).reshape(-1, 1)
    answers = np.zeros((len(rows), len(target.classes)))
    answers[:, trees.classes_.astype(int)] = trees.predict_proba(rows)
    return answers[:, 1:] if target.task == "binary" else answers
