"""The problem as a log allows it: without what was not logged, and with what the champion's callers may send."""

from collections.abc import Collection
from pathlib import Path

from ekiben.contract.feature import Feature
from ekiben.contract.schema import Schema
from ekiben.training.feature_config import Declared
from ekiben.training.problem import Fairness, ProblemConfig
from ekiben.training.source_config import FileSource, SqlSource
from ekiben.training.truth.folder import LogFolder


def fit_problem(
    problem: ProblemConfig, schema: Schema, folder: LogFolder, path: str, lost: Collection[str]
) -> ProblemConfig:
    """Return the problem with the log as its source, without what the log does not hold, and split by shares.

    A log of some weeks holds less than callers may send: what the champion takes, the next version takes, too.
    """
    taken = {feature.name: feature for feature in schema.features}
    features = {
        name: hold_promise(facts, taken[name]) if name in taken else facts
        for name, facts in problem.features.items()
        if name not in lost
    }
    groups = tuple(name for name in problem.groups if name in features)
    changed = {
        "source": SqlSource(url=folder.name, query="") if "://" in path else FileSource(path=Path(path)),
        "features": features,
        "split": problem.split.model_copy(
            update={"time": problem.split.moment, "validate_from": None, "test_from": None, "group": None}
        ),
        "weight": None,
        "slices": tuple(name for name in problem.slices if name in features),
        "fairness": Fairness(groups=groups) if groups else None,
    }
    return problem.model_copy(update=changed)


def describe_unlogged(problem: ProblemConfig, features: Collection[str]) -> str:
    """Return what the problem says of columns that are no features, and so are in no log; "" if there are none."""
    told = [f"`{problem.weight}` (each row counts once)"] if problem.weight else []
    told += [f"`{problem.split.group}` (its rows may be in two parts)"] if problem.split.group else []
    told += [f"`{name}` (no slices by it)" for name in problem.slices if name not in features]
    told += [f"`{name}` (no groups by it)" for name in problem.groups if name not in features]
    return ", ".join(told)


def hold_promise(declared: Declared, taken: Feature) -> Declared:
    """Return what is declared of a feature, with the champion's range and nulls where the problem says none."""
    promised = {"nullable": taken.nullable, "low": getattr(taken, "low", None), "high": getattr(taken, "high", None)}
    unsaid = {name: value for name, value in promised.items() if name not in declared.model_fields_set}
    return declared.model_copy(update={name: value for name, value in unsaid.items() if value is not None})
