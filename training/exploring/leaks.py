"""How much each column says of the target by itself: one that says nearly all is known too late, or is the target."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ekiben.contract.schema import Target
from ekiben.training.evaluate.text import drawable
from ekiben.training.exploring.columns import find_kind
from ekiben.training.exploring.drawing import MARKED, PLAIN, new_figure
from ekiben.training.proposal.doubts.leaks import GIVEN_AWAY, score_classes, score_number

MAX_BARS = 30
MAX_ROWS = 10_000  # as many as `ekiben init` looks at
SUSPICIOUS = 0.9  # no honest column of a hard problem says as much


def score_columns(frame: pd.DataFrame, labels: np.ndarray, target: Target) -> pd.Series:
    """Return how well each column alone tells the target, the best first, by the measure of `ekiben init`.

    It is the balanced accuracy of a decision tree for classes, the R² of the ranks for a number;
    `labels` are those of `encode_labels`, (rows,).
    """
    chosen = slice(None, None, max(1, -(-len(frame) // MAX_ROWS)))
    few, wanted = frame.iloc[chosen], np.asarray(labels[chosen], np.float64)
    scores = {str(name): _score(few[name], wanted, target) for name in few if name != target.name}
    return pd.Series(scores, dtype=float).sort_values(ascending=False, kind="stable")


def plot_columns(scores: pd.Series, target: Target) -> Figure:
    """Return a bar for each column, in another colour if it is too good to be true."""
    drawn = scores.head(MAX_BARS)
    chance = 0.0 if target.task == "regression" else 1 / len(target.classes)
    measure = "R² of the ranks" if target.task == "regression" else "balanced accuracy of a decision tree"
    which = f", the best {MAX_BARS} of {len(scores):,}" if len(scores) > MAX_BARS else ""
    title = f"What each column alone says of {drawable(target.name)}{which}"
    figure, axes = new_figure(title, (9, 1.4 + 0.26 * len(drawn)))
    indices = np.arange(len(drawn))
    axes.barh(indices, drawn, color=[MARKED if score >= SUSPICIOUS else PLAIN for score in drawn])
    axes.axvline(chance, color="grey", linestyle="--", label=f"chance, {chance:.2g}")
    axes.axvline(GIVEN_AWAY, color=MARKED, linestyle=":", label=f"gives the target away, {GIVEN_AWAY}")
    axes.set_yticks(indices, [drawable(name) for name in drawn.index])
    axes.set(xlabel=measure, xlim=(0, 1.02), ylim=(len(drawn) - 0.4, -0.6))
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure


def _score(column: pd.Series, labels: np.ndarray, target: Target) -> float:
    kind = find_kind(column)
    if kind == "category":
        values = np.asarray(column.cat.codes, np.float64)
    elif kind == "timestamp":
        values = np.asarray(column.astype("int64"), np.float64)
    else:
        values = column.to_numpy(np.float64, na_value=np.nan, copy=True)
    values[column.isna().to_numpy()] = np.nan
    if target.task == "regression":
        return score_number(values, labels, kind == "category")
    return score_classes(values, labels)
