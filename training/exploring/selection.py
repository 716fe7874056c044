"""Which features carry the answer: what it costs to shuffle one, and to do without it.

A feature that is shuffled takes with it what only it knows and what it shares with others: two
copies of one column each look useless when the other may stand in for it (drop one), and both
look useful while the model relies on both (shuffle). So both are shown.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ekiben.training.evaluate import promotion_metric
from ekiben.training.evaluate.drawing import Panel, plot_rows
from ekiben.training.evaluate.text import drawable
from ekiben.training.exploring.trees import Inputs, fit_trees, score_trees, try_inputs

SHUFFLES = 2
MAX_DROPPED = 12  # features that are dropped one by one: the ones that it costs most to shuffle


def measure_features(inputs: Inputs) -> pd.DataFrame:
    """Return by how much shuffling a feature, and doing without it, worsens the promotion metric of trees.

    One row for each feature, the most important first; those beyond MAX_DROPPED are not dropped: NaN.
    """
    trees, metric = fit_trees(inputs), promotion_metric(inputs.target)
    before, random = score_trees(trees, inputs)[metric], np.random.default_rng(0)
    names = list(dict.fromkeys(inputs.owners))
    shuffled = {}
    for name in names:
        columns = [index for index, owner in enumerate(inputs.owners) if owner == name]
        shuffled[name] = np.mean([_shuffle(trees, inputs, columns, random) for _ in range(SHUFFLES)]) - before
    ranked = sorted(names, key=lambda name: -shuffled[name])
    tried = ranked[:MAX_DROPPED] if len(ranked) > 1 else []
    dropped = {name: try_inputs(inputs.without(name))[metric] - before for name in tried}
    return pd.DataFrame(
        {
            "feature": ranked,
            "shuffled": [float(shuffled[name]) for name in ranked],
            "dropped": [float(dropped.get(name, np.nan)) for name in ranked],
        }
    )


def plot_features(measured: pd.DataFrame, inputs: Inputs) -> Figure:
    """Return what `measure_features` found for the features that it dropped one by one."""
    unit = f" [{drawable(inputs.target.unit)}]" if inputs.target.task == "regression" and inputs.target.unit else ""
    metric = promotion_metric(inputs.target).replace("_", " ").replace("rmse", "RMSE") + unit
    drawn = measured.head(MAX_DROPPED)
    rows = len(inputs.scored_labels)
    table = drawn.rename(columns={"feature": "value"}).assign(rows=rows)
    panels = (
        Panel(f"rise of {metric}", {"shuffled": "shuffled"}, (0, "no change")),
        Panel(f"rise of {metric}", {"dropped": "left out, fitted again"}, (0, "no change")),
    )
    which = f"the first {len(drawn)} of {len(measured):,} features" if len(measured) > len(drawn) else "by feature"
    figure = plot_rows(f"What is lost without a feature, {which}, {rows:,} validation rows", table, panels)
    figure.axes[0].set_yticklabels([drawable(name) for name in drawn["feature"]])
    return figure


def _shuffle(trees: object, inputs: Inputs, columns: list[int], random: np.random.Generator) -> float:
    moved = inputs.scored.copy()
    moved[:, columns] = moved[random.permutation(len(moved))][:, columns]
    return score_trees(trees, inputs, moved)[promotion_metric(inputs.target)]
