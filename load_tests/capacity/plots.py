"""The capacity report's plots, one function each; all take what was measured and return a figure."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ekiben.load_tests.capacity.measure import CapacityResult, Goal
from ekiben.load_tests.capacity.rates import Step

SIZE_INCHES = (7.5, 4.2)
COLOURS = ("#1f6f8b", "#d1495b", "#66a182", "#8d6a9f")
GREY = "#555555"


def draw_latency(measured: CapacityResult, goal: Goal) -> Figure:
    """Latency's percentiles against the offered rate, the SLO, and the highest rate that meets it."""
    figure, axes = begin(f"Latency, {title(measured)}", "offered, requests/s", "from intended start to answer, ms")
    steps = [step for step in measured.steps if step.offered.good]
    rates = [step.offered.rate for step in steps]
    for share, colour in zip((50, 90, 99, 99.9), COLOURS[::-1], strict=True):
        percentiles = [step.offered.percentile(share) for step in steps]
        axes.plot(rates, percentiles, "o-", ms=3.5, color=colour, label=f"p{share:g}")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.axhline(goal.slo_ms, color=GREY, ls="--", lw=1, label=f"SLO: p99 ≤ {goal.slo_ms:g} ms")
    mark_capacity(axes, measured)
    return finish(figure, axes)


def draw_throughput(measured: CapacityResult) -> Figure:
    """Throughput against concurrency in the closed loop, and the law's curve through it."""
    figure, axes = begin(f"Throughput, {title(measured)}", "callers (closed loop)", "good answers/s")
    callers = [step.callers for step in measured.sweep]
    axes.plot(callers, [step.offered.achieved for step in measured.sweep], "o", color=COLOURS[0], label="measured")
    curve = np.geomspace(min(callers), max(callers), 200)
    axes.plot(curve, measured.law.throughput(curve), color=COLOURS[1], label="Universal Scalability Law")
    axes.set_xscale("log", base=2)
    axes.set_xticks(callers, [str(count) for count in callers])
    axes.set_ylim(bottom=0)
    return finish(figure, axes)


def draw_batches(measured: CapacityResult) -> Figure:
    """Rows per batch against the offered rate."""
    figure, axes = begin(f"Batches, {title(measured)}", "offered, requests/s", "rows per batch, mean")
    plot_steps(axes, measured.steps, [step.batch_rows for step in measured.steps], COLOURS[0], "rows per batch")
    axes.set_ylim(bottom=0)
    mark_capacity(axes, measured)
    return finish(figure, axes)


def draw_outcomes(measured: CapacityResult) -> Figure:
    """Good answers, rejections and failures against the offered rate."""
    figure, axes = begin(f"Outcomes, {title(measured)}", "offered, requests/s", "requests/s")
    offered = [step.offered for step in measured.steps]
    most = max(one.rate for one in offered)
    axes.plot([0, most], [0, most], color=GREY, ls=":", lw=1, label="offered")
    plot_steps(axes, measured.steps, [one.achieved for one in offered], COLOURS[0], "good")
    plot_steps(axes, measured.steps, [one.shed / one.seconds for one in offered], COLOURS[1], "shed (429)")
    lost = [(one.failed + one.timed_out + one.wrong) / one.seconds for one in offered]
    plot_steps(axes, measured.steps, lost, COLOURS[3], "failed or timed out")
    axes.set_ylim(bottom=0)
    mark_capacity(axes, measured)
    return finish(figure, axes)


def draw_cpu(measured: CapacityResult) -> Figure:
    """CPU of the service and of the generator against the offered rate."""
    figure, axes = begin(f"CPU, {title(measured)}", "offered, requests/s", "cores in use")
    if not np.isnan(measured.steps[0].cpu_share):
        plot_steps(axes, measured.steps, [step.cpu_share for step in measured.steps], COLOURS[0], "service")
    shares = [step.offered.cpu_share for step in measured.steps]
    plot_steps(axes, measured.steps, shares, COLOURS[1], "load generator, its busiest process")
    axes.set_ylim(bottom=0)
    mark_capacity(axes, measured)
    return finish(figure, axes)


def begin(heading: str, across: str, up: str) -> tuple[Figure, Axes]:
    """Return an empty plot."""
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set_title(heading, loc="left", fontsize=11)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def finish(figure: Figure, axes: Axes) -> Figure:
    """Add the legend beside the plot, where it hides nothing."""
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def plot_steps(axes: Axes, steps: Sequence[Step], values: Sequence[float], colour: str, label: str) -> None:
    """Plot one value of each step against its rate."""
    axes.plot([step.offered.rate for step in steps], values, "o-", ms=3.5, color=colour, label=label)


def mark_capacity(axes: Axes, measured: CapacityResult) -> None:
    """Mark the highest rate that meets the goal."""
    if measured.capacity:
        rate = measured.capacity.offered.rate
        axes.axvline(rate, color=GREY, ls="-.", lw=1, label=f"capacity: {rate:,.0f}/s")


def title(measured: CapacityResult) -> str:
    """Return which service that was."""
    if not measured.workers:
        return "the service at --url"
    return f"{measured.workers} worker{'s' * (measured.workers > 1)}"
