"""How the target depends on when: through the table's time, through the day and through the week."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ekiben.contract.schema import Target
from ekiben.training.evaluate.text import drawable
from ekiben.training.exploring.drawing import MARKED, PLAIN, SOFT, in_percent, new_panels

PERIODS = 24  # of the time from the first to the last row
MIN_ROWS = 20  # of fewer a mean says nothing
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def plot_over_time(times: pd.Series, values: np.ndarray, target: Target, unit: str = "") -> Figure:
    """Return the mean of a target, (rows,) of `encode_labels`, over the table's time, the hours and the weekdays."""
    what, measured = name_measure(target, unit), measure(target, values)
    figure, panels = new_panels(f"{what} by time", 3, 3, 2.8)
    periods = pd.cut(times.astype("int64"), PERIODS, labels=False)
    by_period = mean_by(periods, measured)
    _draw(panels[0], by_period.set_axis(times.groupby(periods).min()[by_period.index]), "when")
    _draw(panels[1], mean_by(times.dt.hour, measured), "hour of the day [h]")
    _draw(panels[2], mean_by(times.dt.day_of_week, measured), "day of the week")
    panels[0].tick_params(axis="x", rotation=30)
    panels[2].set_xticks(np.arange(len(DAYS)), DAYS)
    panels[0].set_ylabel(what)
    for axes in panels:
        axes.axhline(measured.mean(), color=SOFT, linestyle="--")
        if target.task != "regression":
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(in_percent)
    return figure


def name_measure(target: Target, unit: str = "") -> str:
    """Return what `measure` gives the mean of."""
    if target.task == "regression":
        return f"mean of {drawable(target.name)}" + (f" [{drawable(unit)}]" if unit else "")
    return f"share of {drawable(target.name)} = {drawable(target.classes[-1])}"


def measure(target: Target, values: np.ndarray) -> np.ndarray:
    """Return numbers whose mean describes a target: the numbers themselves, or whether a row is of the last class."""
    if target.task == "regression":
        return values.astype(np.float64)
    return (values == len(target.classes) - 1).astype(np.float64)


def mean_by(keys: pd.Series, measured: np.ndarray) -> pd.Series:
    """Return the mean for each key that stands in more than a few rows."""
    groups = pd.Series(measured, index=keys.index).groupby(keys, observed=True)
    return groups.mean()[groups.size() >= MIN_ROWS]


def _draw(axes: Axes, means: pd.Series, label: str) -> None:
    axes.plot(means.index, means.to_numpy(), "o-", color=PLAIN, markersize=4)
    if len(means):
        axes.plot(means.index[[int(means.argmax())]], [means.max()], "o", color=MARKED, markersize=7)
    axes.set_xlabel(label)
