"""What a training run leaves of its groups: how alike they are treated, as tables and plots in MLflow, and in words."""

import mlflow
import numpy as np
import pandas as pd

from ekiben.contract.schema import Target
from ekiben.training.evaluate.drawing import Panel, plot_rows
from ekiben.training.evaluate.fairness import RATES, GroupRates, compare_groups, describe_unfair, name_group
from ekiben.training.evaluate.text import drawable
from ekiben.training.evaluate.weights import Weights
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry.run_logging import file_names, log_figure

PANELS = tuple(Panel(name.replace("_", " "), {name: name}, limits=(-0.05, 1.05)) for name in RATES)


def log_fairness(
    problem: ProblemConfig,
    target: Target,
    test: pd.DataFrame,
    labels: np.ndarray,
    answers: np.ndarray,
    weights: Weights = None,
) -> dict[str, list[GroupRates]]:
    """Log the rates of the groups that the problem declares, print which differ clearly, and return them by column.

    `labels` and `weights`, (rows,), and `answers`, (rows, outputs), are those of the test rows.
    """
    names = tuple(dict.fromkeys(problem.groups))
    compared = {name: compare_groups(target, labels, answers, test[name], weights) for name in names}
    for file, (name, groups) in zip(file_names(names), compared.items(), strict=True):
        table = pd.DataFrame([group.flatten() for group in groups])
        mlflow.log_table(table, f"evaluation/fairness_by_{file}.json")
        table["value"] = [name_group(target, group) for group in groups]
        log_figure(plot_rows(f"Test rows by {drawable(name)}", table, PANELS), f"fairness_by_{file}")
        for sentence in describe_unfair(name, groups):
            print(f"fairness: {sentence}")
    return compared
