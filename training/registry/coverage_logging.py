"""What a training run leaves of its intervals over time: a table and a plot in MLflow, a sentence if they are off."""

import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ekiben.model.training_scores import TrainingScores
from ekiben.training.evaluate.coverage import describe_off
from ekiben.training.evaluate.drawing import add_legend, new_plot
from ekiben.training.evaluate.regression import WANTED
from ekiben.training.registry.run_logging import log_figure


def log_coverage(scores: TrainingScores) -> None:
    """Log how often intervals held in each period of the test rows, and print where that is off beyond chance."""
    if not scores.coverage:
        return
    table = pd.DataFrame([vars(part) for part in scores.coverage])
    mlflow.log_table(table, "evaluation/coverage_by_period.json")
    log_figure(plot_coverage(scores), "coverage_by_period")
    for sentence in describe_off(scores.coverage, scores.coverage_by, "test row"):
        print(sentence)


def plot_coverage(scores: TrainingScores) -> Figure:
    """Return the shares with their intervals over the periods."""
    parts, places = scores.coverage, np.arange(len(scores.coverage))
    shares = np.array([part.share for part in parts])
    reach = np.array([[part.share - part.low for part in parts], [part.high - part.share for part in parts]])
    figure, axes = new_plot(f"Interval coverage by {scores.coverage_by}", scores.coverage_by, "share of rows", (8, 4.5))
    axes.errorbar(places, shares, np.maximum(reach, 0), fmt="o-", capsize=3, label="covered, 95% interval")
    axes.axhline(WANTED[0], linestyle="--", color="grey", label=WANTED[1])
    axes.set_xticks(places, [part.name for part in parts], rotation=45, ha="right")
    axes.set(ylim=(0, 1.02))
    add_legend(figure)
    return figure
