"""How good probabilities are, whatever they are of."""

import numpy as np
from matplotlib.figure import Figure

from ekiben.contract.answers import SMALLEST_PROBABILITY
from ekiben.training.evaluate.bins import bin_rates
from ekiben.training.evaluate.drawing import add_legend, new_plot
from ekiben.training.evaluate.weights import Weights, mean


def log_loss(given: np.ndarray, weights: Weights = None) -> float:
    """Return the mean log loss, in nats, of the probabilities, (rows,), given to what then was the case."""
    return mean(np.log(1 / np.clip(given, SMALLEST_PROBABILITY, 1)), weights)


def calibration_error(happened: np.ndarray, probabilities: np.ndarray, weights: Weights = None) -> float:
    """Return the expected calibration error of probabilities, (rows,); see `bin_rates`."""
    return bin_rates(happened, probabilities, weights).gap


def plot_calibration(title: str, x: str, y: str, happened: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Return what happened over how likely it was said to be, in bins of as many rows."""
    bins = bin_rates(happened, probabilities)
    top = min(1.0, max(bins.means.max(), bins.rates.max()) * 1.05) or 1.0
    figure, axes = new_plot(title, x, y)
    axes.plot([0, top], [0, top], "--", color="grey", label="perfect")
    axes.plot(bins.means, bins.rates, "o-", label=f"mean gap {bins.gap:.3f}")
    axes.set(xlim=(-0.02 * top, 1.02 * top), ylim=(-0.02 * top, 1.02 * top))
    add_legend(figure)
    return figure
