"""Of what a report is made again: the packed model, and the table that it was trained on, cut as then.

TensorFlow is not imported for it: that a model or a table is gone is said at once.
"""

from dataclasses import dataclass, replace

from ekiben.contract.errors import InvalidTable, UserError
from ekiben.model.package import PROVENANCE_FILE, PackedModel
from ekiben.model.provenance import Definition
from ekiben.model.store import find_model, open_stored
from ekiben.training.preparation import Prepared, prepare, read_with_progress
from ekiben.training.problem import ProblemConfig
from ekiben.training.train_again import read_problem
from ekiben.training.versions.snapshots import is_kept


@dataclass(frozen=True)
class Origin:
    """A packed model and what it was made of."""

    model: PackedModel
    definition: Definition
    problem: ProblemConfig
    prepared: Prepared


def find_origin(name: str) -> Origin:
    """Open the packed model of a name, and read its table again; raise a UserError if one of them is gone."""
    model = open_stored(find_model(name))
    provenance = model.provenance
    if provenance is None:
        raise UserError(f"version {model.version} of {name} does not say what it was trained on: train it again")
    problem = read_problem(provenance, model.path / PROVENANCE_FILE)
    return Origin(model, provenance.definition, problem, prepare_again(problem, provenance.definition, model))


def prepare_again(problem: ProblemConfig, definition: Definition, model: PackedModel) -> Prepared:
    """Read the model's table and cut it as then; raise InvalidTable if it is another one now."""
    data, options = definition.data, definition.options
    if options.memory:
        raise UserError(f"version {model.version} was trained from the disk: its report is made by training alone")
    snapshot = data.snapshot if data.snapshot and is_kept(data.snapshot) else None
    rows = None if snapshot == data.digest else options.rows
    table = read_with_progress(problem, rows, options.accept_schema_change, kept=snapshot)
    if table.digest != data.digest:
        raise InvalidTable(
            f"{table.source} has changed since version {model.version} was trained on it: put it back as it was, or "
            "train again with --keep-table"
        )
    return replace(prepare(problem, table, say=lambda line: None), schema=model.schema)
