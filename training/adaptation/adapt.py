"""The whole way from a log to a margin, and to the version that has it: `ekiben recalibrate`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ekiben.contract.errors import UserError
from ekiben.contract.schema import Schema, Target
from ekiben.training.adaptation.answered import Answered
from ekiben.training.adaptation.logged import find_answered
from ekiben.training.adaptation.replay import MIN_LABELS, Replay, replay
from ekiben.training.adaptation.versions import Family
from ekiben.training.evaluate.coverage import TOLERATED
from ekiben.training.problem import ProblemConfig
from ekiben.training.truth.folder import InvalidLog, open_folder
from ekiben.training.truth.live_scores import DAY_US, DAYS, Period, find_first_days, name_day
from ekiben.training.truth.rows import read_rows
from ekiben.training.truth.score import read_labels

LEAST_MOVE = 0.01  # of the intervals' width: less changes the share by a third of a percent


@dataclass(frozen=True)
class Adaptation:
    """What a log says of the champion's intervals."""

    model: str
    target: Target
    champion: str
    trained: str  # the version whose network the champion has
    margin: float  # the champion's
    width: float  # of the intervals as they were answered, the median
    period: Period
    replayed: Replay
    notes: tuple[str, ...]

    @property
    def by(self) -> float:
        """By how much the champion's bounds are to be moved apart now."""
        return self.replayed.margin - self.margin


def learn_from_log(
    schema: Schema,
    problem: ProblemConfig,
    family: Family,
    folder: str,
    table: str | None = None,
    query: str | None = None,
    period: Period = "week",
) -> Adaptation:
    """Replay what the champion's network answered; raise InvalidLog if nothing can be said of it."""
    if schema.target.task != "regression":
        raise InvalidLog(f"`{schema.target.name}` is not a number: only a number is answered with an interval")
    opened = open_folder(folder)
    labels = read_labels(schema, problem, opened, table, query)
    answered, notes = find_answered(read_rows(schema.target, opened, labels, {}), family.margins)
    champion = str(family.champion.version)
    return Adaptation(
        schema.name, schema.target, champion, family.trained, family.margins[champion],
        float(np.median(answered.high - answered.low)), period,
        replay_periods(answered, period, schema.target.scale), tuple(notes),
    )  # fmt: skip


def replay_periods(answered: Answered, period: Period, unit: float) -> Replay:
    """Replay by calendar weeks or days, UTC."""
    firsts = find_first_days(answered.times // DAY_US, DAYS[period])
    days: Sequence[int] = np.unique(firsts).tolist()
    return replay(answered, firsts, {day: day * DAY_US for day in days}, {day: name_day(day) for day in days}, unit)


def find_objection(found: Adaptation) -> str | None:
    """Return why no version should be made of it, None if one should."""
    replayed = found.replayed
    if replayed.labels < MIN_LABELS:
        return f"{replayed.labels:,} labels are too few to move intervals by: wait for {MIN_LABELS}"
    if abs(found.by) < LEAST_MOVE * found.width:
        return f"the margin would change by less than {LEAST_MOVE:.0%} of the intervals' width"
    if replayed.missed_adapted > replayed.missed_answered + TOLERATED:
        return (
            f"renewed every {found.period}, intervals would have missed 80% by {replayed.missed_adapted:.1%} on average"
            f" in place of {replayed.missed_answered:.1%}: labels come too late, or what they say changes too fast"
        )
    return None


def object_to(found: Adaptation) -> None:
    """Raise UserError if no version should be made of it."""
    if objection := find_objection(found):
        raise UserError(f"no version is made: {objection}")
