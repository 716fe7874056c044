"""How often something happens where a number is low and where it is high."""

from dataclasses import dataclass

import numpy as np

BINS = 10


@dataclass(frozen=True)
class Bins:
    """Rows by their number, about as many in each bin; all are (bins,)."""

    means: np.ndarray  # of the numbers
    rates: np.ndarray  # of the rows, from 0 to 1, where it happened
    rows: np.ndarray

    @property
    def gap(self) -> float:
        """How far the rates lie from the means, over all rows."""
        return float(np.average(np.abs(self.rates - self.means), weights=self.rows))


def bin_rates(happened: np.ndarray, numbers: np.ndarray, weights: np.ndarray | None = None) -> Bins:
    """Cut the rows, (rows,) each, at the tenths of their numbers; equal numbers stay together.

    With `weights`, (rows,), `rows` are how many each bin stands for.

    Of probabilities the gap is the expected calibration error (Guo et al., "On Calibration of
    Modern Neural Networks", ICML 2017) over bins of equal mass (Nguyen and O'Connor, "Posterior
    calibration and exploratory analysis for natural language processing models", EMNLP 2015).
    """
    edges = np.quantile(numbers, np.linspace(0, 1, BINS + 1)[1:-1])
    _, codes = np.unique(np.searchsorted(edges, numbers), return_inverse=True)
    rows = np.bincount(codes, weights)
    if weights is not None:
        happened, numbers = happened * weights, numbers * weights
    return Bins(np.bincount(codes, numbers) / rows, np.bincount(codes, happened) / rows, rows)
