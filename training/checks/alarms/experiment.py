"""What alarms are worth: `ekiben alarms` learns them from a table's earlier days and judges the later ones.

Once as they are, where every alarm is a false one, and once with each fault. No network is trained: rows are only
encoded and counted, by the code of the service.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import InvalidTable, UserError
from ekiben.contract.reference.alarms.alarm_text import describe_finding
from ekiben.contract.reference.alarms.findings import AlarmReport, Finding
from ekiben.contract.reference.alarms.judging import JUDGED, report_alarms
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.reference import Reference
from ekiben.contract.reference.snapshot import Snapshot, Window
from ekiben.contract.schema import Schema
from ekiben.training.checks.alarms.faults import Fault, apply, list_faults
from ekiben.training.checks.alarms.learning import learn_alarms
from ekiben.training.checks.alarms.windows import to_utc
from ekiben.training.checks.reference_learning import learn_reference
from ekiben.training.dataset.schema_learning import learn_schema
from ekiben.training.dataset.target import learn_target
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import Table

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Trial:
    """What the alarms of some days were."""

    fault: Fault | None  # None: the days as they are
    reports: tuple[AlarmReport, ...]  # of each day but the first

    @property
    def named(self) -> float:
        """The share of days whose alarms named the faulty feature; of honest days, on which any had."""
        return float(np.mean([any(map(self._is_right, report.alarms)) for report in self.reports]))

    @property
    def others(self) -> float:
        """How many other features had an alarm, on average."""
        return float(np.mean([sum(not self._is_right(one) for one in report.alarms) for report in self.reports]))

    @property
    def shown_by(self) -> str:
        """The statistic that showed it most often."""
        shown = [one.edge.statistic for report in self.reports for one in report.alarms if self._is_right(one)]
        return max(sorted(set(shown)), key=shown.count, default="–")

    def _is_right(self, finding: Finding) -> bool:
        return self.fault is None or self.fault.feature in finding.features


@dataclass(frozen=True)
class Experiment:
    """Days that alarms did not know, and the alarms."""

    schema: Schema
    reference: Reference
    encoded: Encoded
    days: NDArray[np.intp]
    first: datetime

    def try_fault(self, fault: Fault | None, false_alarms: float) -> Trial:
        """Judge each day but the first, with the day before."""
        rows = self.encoded if fault is None else apply(fault, self.schema, self.encoded, self.days)
        windows = list(self._count(rows))
        reports = []
        for last in range(2, len(windows) + 1):
            latest = tuple(windows[max(0, last - JUDGED) : last])
            snapshot = Snapshot(model="", version="", reference="", span="days", windows=latest)
            reports.append(report_alarms(self.reference, snapshot, latest[-1].start + DAY, false_alarms))
        return Trial(fault, tuple(reports))

    def _count(self, rows: Encoded) -> Iterator[Window]:
        counter = RowCounter(self.schema, self.reference)
        starts = np.searchsorted(self.days, np.arange(int(self.days[-1]) + 2))
        for day, (start, stop) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
            if start == stop:
                continue
            counts = counter.count(rows[slice(start, stop)], np.empty((stop - start, 0), np.float32))
            features, answers = counter.split(counts)
            yield Window(
                source="", start=self.first + day * DAY, rows=stop - start, counted=stop - start,
                features=features, answers=answers, sums=counter.split_sums(counts),
            )  # fmt: skip


def prepare_experiment(problem: ProblemConfig, table: Table, start: date | None) -> Experiment:
    """Learn from the days before `start`, or those that training would train on, and keep the others.

    Raises UserError if the table has no time, InvalidTable if too few rows are before or after.
    """
    time = problem.split.moment
    if time is None:
        raise UserError("alarms are tried on later days than they know: name the table's time column as [split] time")
    frame = table.frame
    moments = to_utc(frame[time])
    begin = pd.Timestamp(start or problem.split.validate_from or _find_test(moments, problem))
    known, later = frame[moments < begin], frame[moments >= begin]
    later = later.iloc[np.argsort(to_utc(later[time]).to_numpy(), kind="stable")]
    if known.empty or to_utc(later[time]).dt.floor("D").nunique() < JUDGED:
        raise InvalidTable(f"`{time}`: rows before {begin:%Y-%m-%d} and of {JUDGED} days from then on are needed")
    declared = {name: feature.facts() for name, feature in problem.features.items()}
    target = learn_target(problem.target, known[problem.target.name])
    schema = learn_schema(problem.name, known, target, declared, known)
    reference = learn_alarms(schema, learn_reference(schema, table.columns, known), known, time)
    if reference.alarms is None:
        raise InvalidTable(f"{len(known)} rows before {begin:%Y-%m-%d} are too few to learn alarms from")
    days = ((to_utc(later[time]).dt.floor("D") - begin) // pd.Timedelta(DAY)).to_numpy().astype(np.intp)
    return Experiment(schema, reference, Encoder(schema).encode(later), days, begin.to_pydatetime().replace(tzinfo=UTC))


def run_experiment(experiment: Experiment, false_alarms: float) -> Iterator[str]:
    """Yield the lines of the table."""
    alarms = experiment.reference.alarms
    assert alarms is not None
    honest = experiment.try_fault(None, false_alarms)
    days, basis = len(honest.reports), f"days of `{alarms.time}`" if alarms.time else "blocks of rows: no season known"
    threshold = alarms.find_threshold(false_alarms)
    yield f"learned from {alarms.windows} {basis}; {false_alarms:g} false alarms a month: a score of {threshold:.2f}"
    ringing, noted = (
        sum(map(bool, found)) for found in zip(*((r.alarms, r.notes) for r in honest.reports), strict=True)
    )
    yield f"the {days} later days as they are: an alarm on {ringing}, notes on {noted}"
    for report in honest.reports:
        yield from (f"  {report.start:%Y-%m-%d} {describe_finding(one)}" for one in report.alarms)
    yield ""
    yield "| feature | fault | days with its alarm | shown by | other features, a day |"
    yield "|---|---|--:|---|--:|"
    for fault in list_faults(experiment.schema, experiment.encoded):
        trial = experiment.try_fault(fault, false_alarms)
        yield f"| `{fault.feature}` | {fault.title} | {trial.named:.0%} | {trial.shown_by} | {trial.others:.1f} |"


def _find_test(moments: "pd.Series[pd.Timestamp]", problem: ProblemConfig) -> pd.Timestamp:
    """Return the day with which the rows begin that training would not train on."""
    held_out = int(len(moments) * (problem.split.validation + problem.split.test))
    return pd.Timestamp(moments.sort_values().iloc[-held_out]).floor("D")
