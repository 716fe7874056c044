"""How often a model may be trained: a cool-down between two trainings, and a budget a day.

Only runs that fitted a network count: one that a gate stopped before, or of which nothing was new, cost nothing.
"""

from datetime import UTC, datetime, timedelta

from ekiben.pipeline.records.journal import list_runs
from ekiben.training.durations import read_seconds
from ekiben.training.problem import ProblemConfig

DAY = timedelta(days=1)
ALL_THE_SAME = "`--force train` trains all the same"


def find_refusal(problem: ProblemConfig, at: datetime | None = None) -> str | None:
    """Return why the model may not be trained now, None if it may.

    A training that a clock put into the future counts for the budget up to a day, but nobody waits for it.
    """
    moment = at or datetime.now(UTC)
    ages = [moment - datetime.fromisoformat(run.trained) for run in list_runs(problem.name) if run.trained]
    wanted = problem.pipeline
    if wanted.cooldown is not None:
        cooldown = timedelta(seconds=read_seconds(wanted.cooldown))
        waited = min((age for age in ages if age >= timedelta()), default=cooldown)
        if waited < cooldown:
            left = _describe(cooldown - waited)
            return f"{problem.name} was trained {_describe(waited)} ago, within cooldown = {wanted.cooldown}: " + (
                f"try again in {left}, or {ALL_THE_SAME}"
            )
    today = sum(abs(age) < DAY for age in ages)
    if wanted.runs_a_day is not None and today >= wanted.runs_a_day:
        said = f"{problem.name} was trained {today} times in 24 hours, and runs_a_day = {wanted.runs_a_day}"
        return f"{said}: try again later, or {ALL_THE_SAME}"
    return None


def _describe(span: timedelta) -> str:
    minutes = max(0, round(span.total_seconds() / 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
