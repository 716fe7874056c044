"""Is the new network not worse than the champion, over all test rows and on each slice of them?

Over all rows what is seen counts: its mean loss may exceed the champion's by the margin. On a slice, of few rows and
one of many, only what is sure counts: the interval, made wider so that the intervals of all slices hold together, must
lie above the margin to stop the run.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.answers import SMALLEST_PROBABILITY, score_classes
from ekiben.contract.schema import Target
from ekiben.pipeline.gates.bootstrap import Increase, estimate_increase
from ekiben.pipeline.records.record import Verdict, go, stop
from ekiben.training.evaluate.slices import cut
from ekiben.training.evaluate.weights import Weights
from ekiben.training.problem import ProblemConfig
from ekiben.training.wording import quote

GATE = "champion"
ALPHA = 0.05
MIN_SLICE_ROWS = 30
Slices = Sequence[tuple[str, pd.Series]]


def judge_champion(
    problem: ProblemConfig,
    champion: str,
    target: Target,
    labels: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    slices: Slices,
    weights: Weights = None,
) -> list[Verdict]:
    """Return what the comparison over all rows says, and where that goes, what the one by slices says.

    `labels` and `weights` are (rows,), the answers (rows, outputs), `champion` is the version of `theirs`.
    """
    margin, seed = problem.pipeline.margin, problem.pipeline.seed
    share = 1.0 if weights is None else weights / weights.mean()
    losses = measure_losses(target, labels, ours) * share, measure_losses(target, labels, theirs) * share
    total = estimate_increase(*losses, ALPHA, seed)
    said = f"its mean loss on {len(labels):,} test rows is {_describe(total)} version {champion}'s"
    if not total.mean <= margin:
        return [stop(GATE, f"{said}: more than the margin of {margin:.1%}")]
    return [go(GATE, said), _judge_slices(losses, slices, margin, seed, champion)]


def measure_losses(target: Target, labels: np.ndarray, answers: np.ndarray) -> NDArray[np.float64]:
    """Return the loss of each row, (rows,): the squared error of a number, the log loss of classes, in nats."""
    if target.task == "regression":
        return np.asarray((answers[:, 0].astype(np.float64) - labels) ** 2)
    likely = score_classes(target, answers.astype(np.float64))[np.arange(len(labels)), labels.astype(np.intp)]
    return np.asarray(-np.log(np.clip(likely, SMALLEST_PROBABILITY, 1)))


def _judge_slices(
    losses: tuple[NDArray[np.float64], NDArray[np.float64]], slices: Slices, margin: float, seed: int, champion: str
) -> Verdict:
    masks = list(_cut(slices))
    if not masks:
        return go(f"{GATE} by slice", f"no slice has {MIN_SLICE_ROWS} test rows")
    compared = {
        name: estimate_increase(losses[0][mask], losses[1][mask], ALPHA / len(masks), seed) for name, mask in masks
    }
    worst = max(compared, key=lambda name: compared[name].low)
    if compared[worst].low > margin:
        sentence = f"where {worst}, its mean loss is {_describe(compared[worst])} version {champion}'s"
        return stop(f"{GATE} by slice", f"{sentence}: surely more than the margin of {margin:.1%}")
    return go(f"{GATE} by slice", f"on none of {len(masks)} slices is it surely worse by more than {margin:.1%}")


def _cut(slices: Slices) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for column, keys in slices:
        names, slice_of, _ = cut(keys)
        for index, name in enumerate(names):
            mask = slice_of == index
            if np.count_nonzero(mask) >= MIN_SLICE_ROWS:
                yield f"{quote(column)} is {'missing' if name is None else name}", mask


def _describe(increase: Increase) -> str:
    bounds = f"{increase.low:+.1%} to {increase.high:+.1%}"
    return f"{abs(increase.mean):.1%} {'above' if increase.mean > 0 else 'below'} ({bounds})"
