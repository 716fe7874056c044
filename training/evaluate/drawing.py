"""What all plots are made of: an empty plot, a plot of a table's rows, and a range without far outliers."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ekiben.training.evaluate.text import drawable

TAIL = 0.005  # of the values on each side may lie far out
MARGIN = 0.5  # of the range between the tails is still drawn beside it
MARKS = (("tab:blue", 8), ("tab:orange", 5))  # the second lies upon the first and does not hide it


@dataclass(frozen=True)
class Panel:
    """Columns of a table that are drawn on one axis, each under its name in the legend."""

    label: str
    columns: Mapping[str, str]
    reference: tuple[float, str] | None = None  # a value to compare with, and its name
    limits: tuple[float, float] | None = None


def new_plot(title: str, x: str, y: str, size: tuple[float, float] = (6, 6)) -> tuple[Figure, Axes]:
    """Return an empty plot of that many inches."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
    return figure, axes


def add_legend(figure: Figure) -> None:
    """Put the legend below the plot, where it hides nothing."""
    figure.legend(loc="outside lower center", ncols=3, frameon=False)


def plot_rows(title: str, table: pd.DataFrame, panels: tuple[Panel, ...]) -> Figure:
    """Return dots for each row of a table, one row of `value` and `rows` below the other.

    Dots, since unlike bars they need not begin at zero. A panel without any number is left out.
    """
    drawn = [panel for panel in panels if table[list(panel.columns)].notna().any(axis=None)]
    figure = Figure(figsize=(2 + 3.6 * len(drawn), 1.7 + 0.26 * len(table)), layout="constrained")
    figure.suptitle(title)
    indices = np.arange(len(table))
    for axes, panel in zip(figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0], drawn, strict=True):
        _draw_panel(axes, panel, table, indices)
    first = figure.axes[0]
    names = ["(missing)" if value is None else drawable(value) for value in table["value"]]
    first.set_yticks(indices, [f"{name} ({rows:,})" for name, rows in zip(names, table["rows"], strict=True)])
    first.set_ylim(len(table) - 0.4, -0.6)
    return figure


def inner_range(values: np.ndarray) -> tuple[float, float]:
    """Return from where to where the values lie, far outliers aside; never an empty range."""
    low, high = np.quantile(values, (TAIL, 1 - TAIL))
    margin = MARGIN * (high - low)
    low, high = max(values.min(), low - margin), min(values.max(), high + margin)
    smallest = 1e-6 * max(abs(low), abs(high)) or 1.0
    padding = max(0.03 * (high - low), smallest)
    return float(low - padding), float(high + padding)


def _draw_panel(axes: Axes, panel: Panel, table: pd.DataFrame, indices: np.ndarray) -> None:
    columns = list(panel.columns)
    if len(columns) > 1:
        ends = table[columns]
        axes.hlines(indices, ends.min(axis=1), ends.max(axis=1), color="lightgrey", zorder=1)
    for column, (colour, size) in zip(columns, MARKS, strict=False):
        axes.plot(table[column], indices, "o", color=colour, markersize=size, label=panel.columns[column])
    if panel.reference:
        axes.axvline(panel.reference[0], linestyle="--", color="grey", label=panel.reference[1])
    axes.set(xlabel=panel.label)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(alpha=0.3)
    axes.margins(x=0.08)
    if panel.limits:
        axes.set_xlim(*panel.limits)
    if len(columns) > 1 or panel.reference:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize="small")
