"""How the values of each column are spread."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ekiben.training.evaluate.drawing import inner_range
from ekiben.training.evaluate.text import drawable
from ekiben.training.exploring.columns import find_kind
from ekiben.training.exploring.drawing import MARKED, PLAIN, SOFT, in_percent, new_panels

MAX_PANELS = 24
BINS = 24
MAX_BARS = 7
NONE: Mapping[str, str] = {}


def plot_distributions(
    frame: pd.DataFrame, units: Mapping[str, str] = NONE, target: str | None = None
) -> Figure | None:
    """Return a chart for each column that has a value, the target's in another colour; None if there is none.

    Of numbers, half a percent on either side may lie outside the chart.
    """
    names = [str(name) for name in frame if frame[name].notna().any()]
    names.sort(key=lambda name: name != target)
    if not names:
        return None
    drawn = names[:MAX_PANELS]
    which = f"the first {MAX_PANELS} of {len(names):,} columns" if len(names) > MAX_PANELS else f"{len(frame):,} rows"
    figure, panels = new_panels(f"Distributions, {which}", len(drawn))
    for name, axes in zip(drawn, panels, strict=True):
        _draw(axes, frame[name].dropna(), MARKED if name == target else PLAIN)
        unit = f" [{drawable(units[name])}]" if units.get(name) else ""
        axes.set_title(drawable(name) + unit, fontsize="medium")
        axes.grid(visible=False)
    return figure


def _draw(axes: Axes, values: pd.Series, colour: str) -> None:
    kind = find_kind(values)
    if kind in ("category", "boolean"):
        _draw_bars(axes, values, colour)
        return
    weights = np.full(len(values), 1 / len(values))
    if kind == "timestamp":
        times = values.dt.tz_localize(None) if values.dt.tz is not None else values
        axes.hist(times.to_numpy(), bins=BINS, weights=weights, color=colour)
        locator = AutoDateLocator(minticks=3, maxticks=5)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        numbers = values.to_numpy(np.float64)
        axes.hist(numbers, bins=BINS, range=inner_range(numbers), weights=weights, color=colour)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(in_percent)


def _draw_bars(axes: Axes, values: pd.Series, colour: str) -> None:
    shares = values.value_counts(normalize=True)
    shares = shares[shares > 0]
    shown = shares.head(MAX_BARS)
    names = [drawable(value) for value in shown.index]
    heights, colours = shown.tolist(), [colour] * len(shown)
    if len(shares) > MAX_BARS:
        names.append(f"{len(shares) - MAX_BARS:,} others")
        heights.append(float(shares.iloc[MAX_BARS:].sum()))
        colours.append(SOFT)
    axes.barh(np.arange(len(names)), heights, color=colours)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.xaxis.set_major_formatter(in_percent)
