"""Fits what is asked for on a table with a seed, and keeps each cell as it is done."""

import contextlib
import importlib.util
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ekiben.training.preparation import Prepared, prepare
from ekiben.training.problem import ProblemConfig
from ekiben.training.tables.read import read_table
from tests.tables.cells import PRODUCT, Cell, Results
from tests.tables.data import Data, cpu_seconds, encode_data
from tests.tables.held_out import hold_out
from tests.tables.product import measure_product
from tests.tables.real import NotInstalled, RealTable, open_problem
from tests.tables.trees import Fit, fit_catboost, fit_lightgbm, fit_sklearn
from tests.tables.tuning import tune

MIN_TUNING_S = 30  # of CPU, for each library: both together have twice that, or what the product's fit took
AS_THEY_COME: dict[str, Fit] = {"sklearn": fit_sklearn, "lightgbm": fit_lightgbm, "catboost": fit_catboost}
TUNED = {"lightgbm_tuned": "lightgbm", "catboost_tuned": "catboost"}
REFIT = {"lightgbm": fit_lightgbm, "catboost": fit_catboost}
AGAIN = {f"{name}_again": name for name in ("lightgbm", "catboost", *TUNED)}
TREES = (*AS_THEY_COME, *TUNED, *AGAIN)
MODELS = (PRODUCT, *TREES)


@dataclass(frozen=True)
class Opened:
    """A table with a seed, ready for every model."""

    problem: ProblemConfig
    prepared: Prepared
    data: Data
    cell: Cell  # what all of them say of it


def measure(
    table: RealTable, seed: int, models: Sequence[str], label: str, results: Results, say: Callable[[str], object],
    choosing: bool = False,
) -> None:  # fmt: skip
    """Fit each of the models that has no cell yet; raise NotInstalled if one's package is not there.

    For choosing, some of the training rows stand in for the test rows.
    """
    missing = [
        name for name in models if results.find(table.name, seed, name, label if name == PRODUCT else "") is None
    ]
    if not missing:
        return
    with tempfile.TemporaryDirectory() as folder:
        opened = open_table(table, seed, Path(folder), choosing)
    for name in missing:
        with quietly():
            cell = fill(opened, name, label, results)
        results.add(cell)
        say(f"{table.name} seed {seed} {name}: {cell.scores[metric_of(cell)]:.4f}, fit {cell.fit_cpu_s:.0f} CPU s")


def metric_of(cell: Cell) -> str:
    """Return the name of the metric that a cell is compared by."""
    return {"binary": "auc", "multiclass": "accuracy", "regression": "r2"}[cell.task]


def open_table(table: RealTable, seed: int, folder: Path, choosing: bool = False) -> Opened:
    """Let the product read and cut a table; the seed is that of a cut at random."""
    with quietly():
        problem = open_problem(table, folder)
        prepared = prepare(problem, read_table(problem, lambda _: None), seed)
    prepared = hold_out(prepared, problem.split.moment, seed) if choosing else prepared
    data = encode_data(prepared)
    rows = len(prepared.table.frame)
    cell = Cell(table.name, seed, "", data.target.task, rows, len(problem.features), data.digest, {}, 0.0)
    return Opened(problem, prepared, data, cell)


def fill(opened: Opened, name: str, label: str, results: Results) -> Cell:
    """Fit a model and return its cell."""
    cell, data, seed = replace(opened.cell, model=name), opened.data, opened.cell.seed
    if name == PRODUCT:
        scores, spent, microseconds = measure_product(opened.problem, opened.prepared, seed)
        return replace(cell, label=label, scores=scores, fit_cpu_s=spent, litert_us=microseconds)
    if name in AGAIN:
        return fit_again(opened, cell, label, results)
    check_installed(TUNED.get(name, name), "optuna" if name in TUNED else "")
    began = cpu_seconds()
    if name in TUNED:
        tuned = tune(TUNED[name], data, seed, choose_budget(cell, label, results))
        answers, parameters = tuned.answers, tuned.parameters | {"trials": tuned.trials}
    else:
        answers, parameters = AS_THEY_COME[name](data, seed, {}, float("inf")), {}
    spent = cpu_seconds() - began
    loss = data.loss(data.validation, answers.validation)
    scores = data.score(data.test, answers.test)
    return replace(cell, scores=scores, fit_cpu_s=spent, validation_loss=loss, parameters=parameters)


def fit_again(opened: Opened, cell: Cell, label: str, results: Results) -> Cell:
    """Return the cell of trees that exist, after as many rounds, with the same parameters, with validation rows too.

    Its validation loss is that of the trees before: these rows are no longer new to it.
    """
    name, data = AGAIN[cell.model], opened.data
    before = results.find(cell.table, cell.seed, name)
    if before is None:
        results.add(before := fill(opened, name, label, results))
    library = TUNED.get(name, name)
    check_installed(library)
    began, parameters = cpu_seconds(), {key: value for key, value in before.parameters.items() if key != "trials"}
    answers = REFIT[library](data, cell.seed, parameters, again=True)
    scores, spent = data.score(data.test, answers.test), cpu_seconds() - began
    return replace(cell, scores=scores, fit_cpu_s=spent, validation_loss=before.validation_loss, parameters=parameters)


def choose_budget(cell: Cell, label: str, results: Results) -> float:
    """Return the CPU seconds to tune one library: half of what the product's fit took, if that is known."""
    product = results.find(cell.table, cell.seed, PRODUCT, label)
    return max(MIN_TUNING_S, product.fit_cpu_s / 2 if product else 0)


def check_installed(*packages: str) -> None:
    """Raise NotInstalled with what to do."""
    for package in filter(None, packages):
        if importlib.util.find_spec(package) is None:
            raise NotInstalled(f"`{package}` is not installed: `make tables` brings it")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Hold back what the product prints, its progress too."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
