"""Writes what `capacity` measured: plots, a Markdown summary, and one page that holds them all."""

import base64
import io
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from matplotlib.figure import Figure

from ekiben.contract.errors import UserError
from ekiben.contract.version import VERSION
from ekiben.load_tests.capacity import plots
from ekiben.load_tests.capacity.container import Container
from ekiben.load_tests.capacity.measure import CapacityResult, Goal, describe_split
from ekiben.load_tests.capacity.scalability import SPARE_REPLICAS, Plan
from ekiben.load_tests.machine import describe_machine
from ekiben.load_tests.servers.own_service import describe_wait

VERSIONS = ("bentoml", "uvicorn", "uvloop", "ai-edge-litert", "numpy", "grpcio")
TEMPLATE = "report.html"
RESOLUTION_DPI = 130


class ReportUnwritable(UserError):
    """The report's folder can't be made."""


@dataclass(frozen=True)
class Findings:
    """All that is reported."""

    goal: Goal
    target_rps: float
    measured: Sequence[CapacityResult]
    plan: Plan
    rows: str  # where they came from
    container: Container | None = None  # of one replica, if it was measured on this machine


def make_folder(folder: Path) -> None:
    """Make the report's folder; raise ReportUnwritable if that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReportUnwritable(
            f"{folder} can't be made ({error.strerror}): choose another folder with --output"
        ) from None


def write_report(folder: Path, findings: Findings) -> None:
    """Write plots, summary and page into the folder."""
    images = {}
    for measured in findings.measured:
        for name, draw in list_plots(findings.goal):
            file = f"{name}-{measured.workers or 'url'}.png"
            content = render(draw(measured))
            (folder / file).write_bytes(content)
            images[file] = base64.b64encode(content).decode()
    (folder / "summary.md").write_text(summarize(findings), encoding="utf-8")
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    page = environment.get_template(TEMPLATE).render(
        findings=findings, plots=images, facts=list_facts(findings),
        verdicts=[verdict(measured, findings) for measured in findings.measured],
        answer=answer(findings), tables=[list_rows(measured) for measured in findings.measured], columns=COLUMNS,
        titles=[plots.title(measured) for measured in findings.measured],
    )  # fmt: skip
    (folder / "report.html").write_text(page, encoding="utf-8")


def list_plots(goal: Goal) -> list[tuple[str, Callable[[CapacityResult], Figure]]]:
    """Return each plot's name and what draws it."""
    return [
        ("latency", lambda measured: plots.draw_latency(measured, goal)),
        ("throughput", plots.draw_throughput),
        ("outcomes", plots.draw_outcomes),
        ("batches", plots.draw_batches),
        ("cpu", plots.draw_cpu),
    ]


def render(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=RESOLUTION_DPI)
    return buffer.getvalue()


COLUMNS = (
    *("offered/s", "good/s", "shed", "failed", "timed out", "wrong", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms"),
    *("rows/batch", "CPU service", "memory MiB", "CPU generator", "lag p99 ms"),
)


def list_rows(measured: CapacityResult) -> list[list[str]]:
    """Return the open loop's steps as a table's cells."""
    rows = []
    for step in measured.steps:
        one = step.offered
        counts = (one.shed, one.failed, one.timed_out, one.wrong)
        rows.append(
            [f"{one.rate:,.0f}", f"{one.achieved:,.0f}", *(f"{count:,}" for count in counts)]
            + [f"{one.percentile(share):.2f}" for share in (50, 90, 99, 99.9)]
            + [
                f"{step.batch_rows:.1f}",
                f"{step.cpu_share:.2f}",
                f"{step.memory_mib:.0f}",
                f"{one.cpu_share:.2f}",
                f"{one.lag_p99_ms:.2f}",
            ]
        )
    return rows


def list_facts(findings: Findings) -> list[tuple[str, str]]:
    """Return what a number must not be read without."""
    return [
        ("machine", describe_machine()),
        ("system", platform.platform()),
        ("versions", ", ".join([f"ekiben {VERSION}", *(f"{name} {version(name)}" for name in VERSIONS)])),
        ("commit", read_commit()),
        ("command", shlex.join(["ekiben", *sys.argv[1:]])),
        ("setting", f"{describe_wait(findings.goal.slo_ms)}, if started here: production needs it too"),
        ("rows", findings.rows),
        ("cores", "; ".join(f"{plots.title(m)}: {describe_split(m.split)}" for m in findings.measured)),
    ]


def read_commit() -> str:
    """Return the commit that was measured, and whether files were changed since."""
    try:
        commit = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown: this is not a git repository"
    return commit.stdout.strip() + (" with changes" if changed.stdout.strip() else "")


def verdict(measured: CapacityResult, findings: Findings) -> str:
    """Return what that many workers carry, in a sentence."""
    goal = findings.goal
    if measured.capacity is None:
        return f"{plots.title(measured)}: no rate that was offered meets p99 ≤ {goal.slo_ms:g} ms."
    one = measured.capacity.offered
    more = " at least" * measured.limited
    why = " The load generator, not the service, was the limit above that rate." if measured.limited else ""
    if measured.split.shared:
        why += " The generator shared a core with the service, which therefore carries more than this."
    if measured.starved:
        why += " Something else ran on the service's cores meanwhile: measure again on a quiet machine."
    return (
        f"{plots.title(measured)}:{more} {one.rate:,.0f} requests/s with p99 {one.percentile(99):.1f} ms "
        f"(goal: ≤ {goal.slo_ms:g} ms, at most {goal.budget:.1%} without a good answer).{why}"
    )


def answer(findings: Findings) -> str:
    """Return how many replicas are needed, in a sentence."""
    plan = findings.plan
    return (
        f"{findings.target_rps:,.0f} requests/s need {plan.replicas} replicas: {plan.replicas - SPARE_REPLICAS} carry "
        f"the target, {SPARE_REPLICAS} may be lost. The autoscaler adds one at {plan.requests_per_second:,} requests/s "
        f"or {plan.waiting_rows:,} waiting rows a replica, up to {plan.most}."
    ) + (f" {findings.container}" if findings.container else "")


def summarize(findings: Findings) -> str:
    """Return the whole as Markdown."""
    lines = ["# Capacity", "", answer(findings), ""]
    lines += [f"- {verdict(measured, findings)}" for measured in findings.measured]
    for measured in findings.measured:
        lines += ["", f"## {plots.title(measured)}", "", f"Scalability: {measured.law}", ""]
        lines += [f"| {' | '.join(COLUMNS)} |", "|" + "--:|" * len(COLUMNS)]
        lines += [f"| {' | '.join(cells)} |" for cells in list_rows(measured)]
    lines += ["", "## Measured on", ""]
    lines += [f"- {name}: {text}" for name, text in list_facts(findings)]
    return "\n".join(lines) + "\n"
