"""Behavioural tests: what must become of the answers when one feature is changed and all others stay.

Invariance: the feature's values are dealt out anew among the rows, so each is one that occurs. Direction: a number is
raised. Ribeiro et al., Beyond Accuracy: Behavioral Testing of NLP Models with CheckList (2020), has the two names.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.answers import score_classes
from ekiben.contract.schema import Target
from ekiben.pipeline.records.record import Verdict, go, stop
from ekiben.training.pipeline_config import Behaviour
from ekiben.training.wording import quote

MAX_ROWS = 1000
Answer = Callable[[pd.DataFrame], np.ndarray]  # rows → (rows, outputs)


def judge_behaviour(expected: Behaviour, target: Target, test: pd.DataFrame, answer: Answer, seed: int) -> Verdict:
    """Change the feature in up to MAX_ROWS test rows, and stop a network that does not answer as is expected."""
    gate = f"behaviour: {expected.test} of {expected.feature}"
    sample = test.iloc[np.unique(np.linspace(0, len(test) - 1, MAX_ROWS).astype(int))]
    sample = sample[sample[expected.feature].notna().to_numpy()]
    if sample.empty:
        return stop(gate, f"{quote(expected.feature)} is missing in every test row: nothing can be tried")
    changed, change = _change(expected, sample, seed)
    before, after = (_choose(expected, target, answer(rows)) for rows in (sample, changed))
    moved = after - before
    against = np.abs(moved) if expected.test == "invariance" else -moved if expected.answer == "up" else moved
    kept = float((against <= expected.tolerance).mean())
    wanted = "stays" if expected.test == "invariance" else f"goes {expected.answer}"
    within = f" within {expected.tolerance:g}" if expected.tolerance else ""
    said = f"with {quote(expected.feature)} {change} the answer {wanted}{within} in {kept:.1%} of {len(sample):,} rows"
    if kept >= expected.share:
        return go(gate, said)
    return stop(gate, f"{said}, {expected.share:.1%} are asked for; the worst differs by {against.max():.4g}")


def _change(expected: Behaviour, rows: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, str]:
    column = rows[expected.feature]
    if expected.test == "invariance":
        order = np.random.default_rng(seed).permutation(len(rows))
        return rows.assign(**{expected.feature: column.array[order]}), "dealt out anew"
    by = expected.by if expected.by is not None else float(column.std()) or 1.0
    return rows.assign(**{expected.feature: (column + by).astype(column.dtype)}), f"raised by {by:.4g}"


def _choose(expected: Behaviour, target: Target, answers: np.ndarray) -> NDArray[np.float64]:
    """Return the answer that is meant, (rows,): the number, or one class's probability."""
    if target.task == "regression":
        return np.asarray(answers[:, 0], np.float64)
    labels = list(map(repr, target.classes))
    index = -1 if expected.of is None else labels.index(repr(expected.of))
    return np.asarray(score_classes(target, answers)[:, index], np.float64)
