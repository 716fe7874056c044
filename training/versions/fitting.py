"""Whether a problem can be trained on a table that is kept: by the names and the kinds of its columns."""

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import ProblemConfig
from ekiben.training.sources.source import describe_absent
from ekiben.training.versions.columns import LABEL
from ekiben.training.versions.kept_table import SHORT, KeptTable


def check_fit(problem: ProblemConfig, kept: KeptTable, digest: str) -> list[str]:
    """Return the columns that the problem reads; raise InvalidTable if one is not kept or is of another kind."""
    described = f"the kept table {digest[:SHORT]}"
    wanted = expect_kinds(problem)
    for name, kind in wanted.items():
        if name in kept.unread["absent"]:
            continue
        if name not in kept.kinds:
            raise InvalidTable(describe_absent(described, name, tuple(kept.kinds)))
        has = kept.kinds[name]
        if not has.startswith(kind) if kind == LABEL else has != kind:
            read_again = "read the source again, without --table"
            raise InvalidTable(f"`{name}` is {has} in {described}, and {kind} in the problem file: {read_again}")
    return [name for name in wanted if name in kept.kinds]


def expect_kinds(problem: ProblemConfig) -> dict[str, str]:
    """Return what the kinds of the columns that are read should be; of a label the beginning."""
    kinds = dict.fromkeys((*problem.slices, *problem.groups), "category")
    kinds |= dict.fromkeys((*problem.split.columns, *filter(None, [problem.split.group])), "category")
    if problem.weight:
        kinds[problem.weight] = "float64"
    kinds |= {name: _name(facts.kind, facts.zoned) for name, facts in problem.features.items()}
    if problem.split.moment and problem.split.moment not in problem.features:
        kinds[problem.split.moment] = _name("timestamp", problem.split.zoned)
    kinds[problem.target.name] = "float64" if problem.target.task == "regression" else LABEL
    made = {problem.split.moment} - {None, *problem.columns}
    return {name: kinds[name] for name in (*problem.columns, *made) if name}


def _name(kind: str, zoned: bool) -> str:
    if kind == "timestamp" and zoned:
        return "timestamp:utc"
    return "float32" if kind == "number" else kind
