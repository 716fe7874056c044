"""What rows say of the scale to learn a number on: small trees fitted on each, and their errors on validation rows.

All errors are in the target's units. Trees take a second where the network takes a minute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.training.network.debiasing import find_shift
from ekiben.training.network.lessons import LabelledRows
from ekiben.training.network.links import Link
from ekiben.training.network.scaling import scale_target
from ekiben.training.network.teacher import MAX_CODES
from ekiben.training.preparation import Prepared

MAX_ROWS, MAX_CELLS, MIN_ROWS = 8000, 640_000, 1000  # of the training rows, and of the validation rows
SPLIT_INPUTS = 64  # of which a tree chooses at a split: more inputs don't cost more
MIN_VALIDATION_ROWS = 100
MIN_GAIN = 0.1  # of the RMSE: of the 5% on `ames` the network made nothing (docs/accuracy.md)
MOST = 0.98  # of the rows, those without the largest errors, have to gain, too: a few rows far out can make a gain
OPTIONS = {
    "learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 16, "min_samples_leaf": 15, "l2_regularization": 2.0,
    "early_stopping": False, "random_state": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """The validation RMSE on each scale, and the scale that is chosen; the first is the target's own."""

    rmse: dict[Link, float]
    best: Link


def compare_scales(prepared: Prepared, links: Sequence[Link], by_time: bool) -> Evidence:
    """Fit trees on each scale, and choose another than the first only where they are clearly better."""
    train, validation = (_encode(prepared, part) for part in (0, 1))
    columns = _columns(train.encoded), _columns(validation.encoded)
    categories = np.arange(columns[0].shape[1]) >= train.encoded.numbers.shape[1]
    errors = {}
    for link in links:
        scale = scale_target(prepared.schema.target, train.labels, train.weights, link)
        share = min(1.0, SPLIT_INPUTS / len(categories))
        model = HistGradientBoostingRegressor(categorical_features=categories, max_features=share, **OPTIONS)
        with threadpool_limits(1):
            model.fit(columns[0], scale.learn(train.labels), train.weights)
            outputs = model.predict(columns[1])
        shift = find_shift(scale, outputs, scale.learn(validation.labels), validation.shares, by_time)
        errors[link] = np.square(scale.restore(outputs + shift) - validation.labels) * validation.shares
    return judge(errors, validation.shares)


def judge(errors: Mapping[Link, np.ndarray], weights: np.ndarray) -> Evidence:
    """Choose from weighted squared errors, (rows,): the least RMSE, if it is clearly less than the first one's."""
    rmse = {link: float(np.sqrt(squares.sum() / weights.sum())) for link, squares in errors.items()}
    first, best = next(iter(rmse)), min(rmse, key=rmse.__getitem__)
    far = np.maximum(errors[best], errors[first])
    most = far <= np.quantile(far, MOST)
    usual = {link: np.sqrt(errors[link][most].sum()) for link in (best, first)}
    clear = rmse[best] <= (1 - MIN_GAIN) * rmse[first] and usual[best] < usual[first]
    return Evidence(rmse, best if clear else first)


def _encode(prepared: Prepared, part: int) -> LabelledRows:
    """Encode rows of a part, 0 to train on or 1 to validate on, spread evenly over it."""
    rows = (prepared.parts.train, prepared.parts.validation)[part]
    few = int(np.clip(MAX_CELLS // len(prepared.schema.features), MIN_ROWS, MAX_ROWS))
    every = slice(None, None, max(1, -(-len(rows) // few)))
    encoded = Encoder(prepared.schema).encode(rows.iloc[every])
    weights = prepared.weights[part]
    return LabelledRows(encoded, prepared.labels[part][every], None if weights is None else weights[every])


def _columns(encoded: Encoded) -> np.ndarray:
    """Return numbers and codes side by side, (rows, inputs), rare values of a category missing."""
    codes = np.where(encoded.codes < MAX_CODES, encoded.codes, np.nan)
    return np.concatenate([encoded.numbers, codes], axis=1, dtype=np.float32)
