"""A number: how far the values lie from the truth, and how often the truth lies in the interval."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ekiben.contract.schema import Target
from ekiben.training.evaluate.bins import bin_rates
from ekiben.training.evaluate.drawing import Panel, add_legend, inner_range, new_plot
from ekiben.training.evaluate.text import drawable, format_number
from ekiben.training.evaluate.weights import Weights, mean, median

PROMOTION_METRIC = "rmse"  # what the network's value, the mean, makes least
HEADLINE: tuple[str, ...] = ("r2", "rmse", "interval_coverage")
WANTED_COVERAGE = 0.8
MAX_POINTS = 2000  # of more rows a plot shows how many lie where
WANTED = (WANTED_COVERAGE, f"wanted {WANTED_COVERAGE}")
PANELS: tuple[Panel, ...] = (
    Panel("RMSE", {"rmse": "RMSE"}),
    Panel("interval coverage", {"interval_coverage": "covered"}, WANTED, (0, 1.05)),
    Panel("mean", {"mean_observed": "observed", "mean_predicted": "predicted"}),
)


def score(target: Target, labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return the metrics of numbers, (rows,), and answers, (rows, 3) of value, low and high, or (rows, 1) of values.

    All but `r2` and `interval_coverage` are in the target's unit. `baseline_rmse` is that of the
    mean of these rows as the answer to all; where they are all equal there is no `r2`.
    """
    value, *interval = answers.T.astype(np.float64)
    errors = np.abs(value - labels)
    rmse, baseline = (_root_mean_square(e, weights) for e in (errors, labels - mean(labels, weights)))
    scores = {
        "r2": 1 - (rmse / baseline) ** 2 if labels.min() < labels.max() else None,
        "rmse": rmse,
        "mae": mean(errors, weights),
        "median_absolute_error": median(errors, weights),
        "interval_coverage": mean(is_inside(labels, answers), weights) if interval else None,
        "interval_width": mean(interval[1] - interval[0], weights) if interval else None,
        "baseline_rmse": baseline,
    }
    return {name: float(value) for name, value in scores.items() if value is not None}


def score_slice(labels: np.ndarray, answers: np.ndarray, weights: Weights = None) -> dict[str, float]:
    """Return the error, the share of rows in the interval, and the means of what was and what was said."""
    value = answers[:, 0].astype(np.float64)
    return {
        "rmse": _root_mean_square(value - labels, weights),
        "interval_coverage": mean(is_inside(labels, answers), weights),
        "mean_observed": mean(labels, weights),
        "mean_predicted": mean(value, weights),
    }


def plot(target: Target, labels: np.ndarray, answers: np.ndarray) -> dict[str, Figure]:
    """Return what was over what was predicted, how far off that was, and how often the interval held it."""
    name = drawable(target.name) + (f" [{drawable(target.unit)}]" if target.unit else "")
    value = answers[:, 0].astype(np.float64)
    return {
        "predicted_observed": _plot_observed(name, labels, value),
        "residuals": _plot_residuals(name, labels, value),
        "coverage": _plot_coverage(name, is_inside(labels, answers), value),
    }


def is_inside(labels: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return which labels, (rows,), lie in the intervals of answers, (rows, 3)."""
    return (answers[:, 1] <= labels) & (labels <= answers[:, 2])


def _root_mean_square(values: np.ndarray, weights: Weights = None) -> float:
    return float(np.sqrt(mean(values**2, weights)))


def _plot_observed(name: str, labels: np.ndarray, value: np.ndarray) -> Figure:
    limits = inner_range(np.concatenate([labels, value]))
    figure, axes = new_plot("Predicted and observed", f"predicted {name}", f"observed {name}", (7, 6))
    _draw_cloud(axes, value, labels, limits, limits)
    axes.plot(limits, limits, "--", color="black", label="perfect")
    add_legend(figure)
    return figure


def _plot_residuals(name: str, labels: np.ndarray, value: np.ndarray) -> Figure:
    figure, axes = new_plot("Residuals", f"predicted {name}", f"observed − predicted {name}", (7, 6))
    _draw_cloud(axes, value, labels - value, inner_range(value), inner_range(labels - value))
    axes.axhline(0, linestyle="--", color="black")
    return figure


def _plot_coverage(name: str, inside: np.ndarray, value: np.ndarray) -> Figure:
    bins = bin_rates(inside, value)
    title = f"Interval coverage: {inside.mean():.3f} of {len(inside):,} rows"
    figure, axes = new_plot(title, f"mean predicted {name} of each tenth of the rows", "share of rows in the interval")
    indices = np.arange(len(bins.means))
    axes.bar(indices, bins.rates)
    axes.axhline(WANTED[0], linestyle="--", color="grey", label=WANTED[1])
    axes.set_xticks(indices, [format_number(mean) for mean in bins.means], rotation=45, ha="right")
    axes.set(ylim=(0, 1.02))
    add_legend(figure)
    return figure


def _draw_cloud(
    axes: Axes, x: np.ndarray, y: np.ndarray, x_limits: tuple[float, float], y_limits: tuple[float, float]
) -> None:
    """Draw the rows within the limits, many as the number in each hexagon, and say how many lie outside."""
    here = (x_limits[0] <= x) & (x <= x_limits[1]) & (y_limits[0] <= y) & (y <= y_limits[1])
    outside = len(x) - np.count_nonzero(here)
    if outside:
        axes.set_title(f"{axes.get_title()}\n{outside:,} of {len(x):,} rows lie outside")
    if len(x) <= MAX_POINTS:
        axes.plot(x[here], y[here], "o", alpha=0.4, markersize=4, markeredgewidth=0)
    else:
        extent = (*x_limits, *y_limits)
        cloud = axes.hexbin(x[here], y[here], gridsize=50, extent=extent, mincnt=1, norm=LogNorm(), linewidths=0.1)
        axes.figure.colorbar(cloud, ax=axes, label="rows")
    axes.set(xlim=x_limits, ylim=y_limits)
