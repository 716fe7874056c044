"""Is the new network not worse than the champion, over all test rows and on each slice of them?

Over all rows what is seen counts: its mean loss may exceed the champion's by the margin. On a slice, of few rows and
one of many, only what is sure counts: the interval, made wider so that the intervals of all slices hold together, must
lie above the margin to stop the run. Of too few groups of rows that belong together nothing is sure.
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
from ekiben.training.problem import ProblemConfig
from ekiben.training.report.counting import EACH_AS_ITSELF, Counting
from ekiben.training.report.draws import MIN_ROWS
from ekiben.training.wording import count, quote

GATE = "champion"
ALPHA = 0.05
MIN_SLICE_ROWS = 30  # or groups
Slices = Sequence[tuple[str, pd.Series]]


def judge_champion(
    problem: ProblemConfig,
    champion: str,
    target: Target,
    labels: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    slices: Slices,
    counting: Counting = EACH_AS_ITSELF,
) -> list[Verdict]:
    """Return what the comparison over all rows says, and where that goes, what the one by slices says.

    `labels` are (rows,), the answers (rows, outputs), `champion` is the version of `theirs`.
    """
    margin, seed = problem.pipeline.margin, problem.pipeline.seed
    share = 1.0 if counting.weights is None else counting.weights / counting.weights.mean()
    losses = measure_losses(target, labels, ours) * share, measure_losses(target, labels, theirs) * share
    total = estimate_increase(*losses, ALPHA, seed, counting)
    sure = counting.groups is None or counting.count_units(len(labels)) >= MIN_ROWS
    said = f"its mean loss on {_count(len(labels), counting)} is {_describe(total, champion, sure)}"
    if not total.mean <= margin:
        return [stop(GATE, f"{said}: more than the margin of {margin:.1%}")]
    return [go(GATE, said), _judge_slices(losses, slices, margin, seed, champion, counting)]


def measure_losses(target: Target, labels: np.ndarray, answers: np.ndarray) -> NDArray[np.float64]:
    """Return the loss of each row, (rows,): the squared error of a number, the log loss of classes, in nats."""
    if target.task == "regression":
        return np.asarray((answers[:, 0].astype(np.float64) - labels) ** 2)
    likely = score_classes(target, answers.astype(np.float64))[np.arange(len(labels)), labels.astype(np.intp)]
    return np.asarray(-np.log(np.clip(likely, SMALLEST_PROBABILITY, 1)))


def _judge_slices(
    losses: tuple[NDArray[np.float64], NDArray[np.float64]],
    slices: Slices,
    margin: float,
    seed: int,
    champion: str,
    counting: Counting,
) -> Verdict:
    masks = list(_cut(slices, counting))
    if not masks:
        wanted = "test rows" if counting.groups is None else "groups of test rows"
        return go(f"{GATE} by slice", f"no slice has {MIN_SLICE_ROWS} {wanted}")
    alpha = ALPHA / len(masks)
    compared = {
        name: estimate_increase(losses[0][mask], losses[1][mask], alpha, seed, counting.take(mask))
        for name, mask in masks
    }
    worst = max(compared, key=lambda name: compared[name].low)
    if compared[worst].low > margin:
        sentence = f"where {worst}, its mean loss is {_describe(compared[worst], champion)}"
        return stop(f"{GATE} by slice", f"{sentence}: surely more than the margin of {margin:.1%}")
    return go(f"{GATE} by slice", f"on none of {len(masks)} slices is it surely worse by more than {margin:.1%}")


def _cut(slices: Slices, counting: Counting) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for column, keys in slices:
        names, slice_of, _ = cut(keys)
        for index, name in enumerate(names):
            mask = slice_of == index
            if counting.take(mask).count_units(int(mask.sum())) >= MIN_SLICE_ROWS:
                yield f"{quote(column)} is {'missing' if name is None else name}", mask


def _count(rows: int, counting: Counting) -> str:
    groups = "" if counting.groups is None else f" in {count(counting.count_units(rows), 'group')}"
    return f"{rows:,} test rows{groups}"


def _describe(increase: Increase, champion: str, sure: bool = True) -> str:
    bounds = f" ({increase.low:+.1%} to {increase.high:+.1%})" if sure else ""
    return f"{abs(increase.mean):.1%} {'above' if increase.mean > 0 else 'below'}{bounds} version {champion}'s"
