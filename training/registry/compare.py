"""The problem's runs side by side, the best first: `ekiben compare`."""

from collections.abc import Iterable
from datetime import datetime

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import UserError
from ekiben.training.evaluate import headline, promotion_metric
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry import tracking

SHORT = 8  # characters of a digest that tell two apart


class NothingToCompare(UserError):
    """The problem has no finished run."""


def compare(problem: ProblemConfig) -> pd.DataFrame:
    """Return the finished runs as a table, the best by the gate's metric first.

    Runs are only comparable where `data` and `test rows` are the same. Raises NothingToCompare
    if there is none.
    """
    runs = _find_runs(problem.name)
    if not runs:
        raise NothingToCompare(f"{problem.name} has no finished run: train it with `ekiben train`")
    versions = {str(found.run_id): str(found.version) for found in tracking.find_versions(problem.name)}
    aliases = tracking.find_aliases(problem.name)
    metrics = dict.fromkeys((promotion_metric(problem.target), *headline(problem.target)))
    best_first = sorted(
        runs, key=lambda run: run.data.metrics.get(f"test_{promotion_metric(problem.target)}", float("inf"))
    )
    rows = []
    for run in best_first:
        version = versions.get(run.info.run_id, "")
        alias = ", ".join(alias for alias, number in aliases.items() if number == version)
        rows.append({"version": version, "alias": alias, **_describe(run, metrics)})
    return pd.DataFrame(rows).fillna("")


def format_runs(table: pd.DataFrame) -> str:
    """Return the table as the terminal shows it."""
    return table.to_string(index=False, float_format=lambda value: f"{value:.5g}")


def _find_runs(name: str) -> list[Run]:
    experiment = MlflowClient().get_experiment_by_name(name)
    return (
        list(MlflowClient().search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'"))
        if experiment
        else []
    )


def _describe(run: Run, metrics: Iterable[str]) -> dict[str, object]:
    return {
        **{metric: run.data.metrics.get(f"test_{metric}") for metric in metrics},
        "train rows": run.data.params.get("training_rows", ""),
        "test rows": run.data.params.get("test_rows", ""),
        "data": run.data.tags.get("data_digest", "")[:SHORT],
        "commit": run.data.tags.get("git_commit", "")[:SHORT],
        "started": datetime.fromtimestamp(run.info.start_time / 1000).strftime("%Y-%m-%d %H:%M"),
        "run": run.info.run_name,
    }
