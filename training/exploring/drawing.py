"""How the notebooks' charts look: few lines, one colour for what is so, another for what is meant."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import ekiben.training.evaluate.drawing  # noqa: F401  chooses a backend without a screen, and fonts

PLAIN, MARKED, SOFT = "#2563c9", "#d9730d", "#9aa5b1"
PANEL_WIDTH, PANEL_HEIGHT = 3.0, 2.2  # inches


def new_figure(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return a figure of that many inches with one empty chart."""
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots()
    tidy(axes)
    return figure, axes


def new_panels(title: str, count: int, columns: int = 4, height: float = PANEL_HEIGHT) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with that many empty charts in rows of a few."""
    columns = min(columns, count)
    rows = -(-count // columns)
    size = (max(5.0, PANEL_WIDTH * columns), 0.6 + height * rows)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title)
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for left_over in panels[count:]:
        left_over.remove()
    for axes in panels[:count]:
        tidy(axes)
    return figure, panels[:count]


def in_percent(share: float, position: float | None = None) -> str:
    """Return a share as an axis shows it."""
    return f"{100 * share:.4g}%"


def tidy(axes: Axes) -> None:
    """Leave only the axes that carry numbers, and a light grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize="small")
