"""Writes where a package comes from, `provenance.json`: after its other files, and before the manifest covers it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.entities import RunInfo

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import load_schema
from ekiben.model.importance import IMPORTANCE_FILE, load_importance
from ekiben.model.integrity import digest_file
from ekiben.model.package import CARD_FILE, MANIFEST_FILE, PACKAGE, PROVENANCE_FILE, SCHEMA_FILE
from ekiben.model.provenance import (
    Champion,
    Data,
    Definition,
    Digests,
    GateResult,
    Log,
    Options,
    Predicate,
    Provenance,
    Run,
    Subject,
)
from ekiben.model.store import DIGEST_LABEL
from ekiben.model.training_scores import EVALUATION_FILE, load_training_scores
from ekiben.training.card.card import describe_model
from ekiben.training.card.render import MARKDOWN_FILE, write_card
from ekiben.training.dataset.split import SEED, Parts
from ekiben.training.network.fit import FitOptions
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact_uri
from ekiben.training.registry import tracking
from ekiben.training.registry.git import git_commit, read_patch
from ekiben.training.registry.patch_keeping import keep_patch
from ekiben.training.registry.problem_record import describe_problem
from ekiben.training.registry.surroundings import describe_environment, describe_machine, describe_source
from ekiben.training.tables.read import Table
from ekiben.training.truth.training_table import LogTable


@dataclass(frozen=True)
class Lineage:
    """What a run was given, as far as its package can't say so itself."""

    problem: ProblemConfig
    options: FitOptions
    table: Table
    parts: Parts
    rows: int | None = None  # that were asked for
    accept_change: bool = False
    log: LogTable | None = None
    snapshot: str | None = None  # of the table, if it is kept
    gates: Sequence[GateResult] = ()
    memory: int | None = None  # bytes that training was given
    definition: Definition | None = None  # as it was when the network was fitted, if that was elsewhere


def publish_provenance(package: Path, lineage: Lineage) -> Provenance:
    """Write the card and the statement on all files of a package that are there, log both, and return the statement.

    The patch, if files differ from the commit, becomes an artifact of the active run too.
    """
    active = mlflow.active_run()
    assert active is not None
    definition = lineage.definition or define(lineage, active.info.run_id)
    run = describe_run(lineage, active.info)
    parts = lineage.parts.sizes
    schema, scores = load_schema(package / SCHEMA_FILE), load_training_scores(package / EVALUATION_FILE)
    importance = load_importance(package / IMPORTANCE_FILE) if (package / IMPORTANCE_FILE).exists() else None
    write_card(package, describe_model(schema, lineage.problem.card, scores, definition, run, parts, importance))
    predicate = Predicate(definition=definition, run=run)
    statement = Provenance(subject=tuple(describe_files(package)), predicate=predicate)
    statement.save(package / PROVENANCE_FILE)
    for name in (MARKDOWN_FILE, CARD_FILE, PROVENANCE_FILE):
        mlflow.log_artifact(str(package / name), PACKAGE)
    for name in (MARKDOWN_FILE, CARD_FILE):
        mlflow.log_artifact(str(package / name))  # where people look
    return statement


def describe_run(lineage: Lineage, info: RunInfo) -> Run:
    """Return which run made the files, beside which champion, and through which gates."""
    return Run(
        id=info.run_id,
        began=_format_time(info.start_time / 1000),
        packed=_format_time(datetime.now(UTC).timestamp()),
        champion=describe_champion(lineage.problem.name),
        gates=tuple(lineage.gates),
    )


def describe_files(package: Path) -> list[Subject]:
    """Return the packed files and their digests, in the order of their names."""
    files = {path.relative_to(package).as_posix(): path for path in package.rglob("*") if path.is_file()}
    names = sorted(files.keys() - {PROVENANCE_FILE, MANIFEST_FILE})
    return [Subject(name=name, digest=Digests(sha256=digest_file(files[name]))) for name in names]


def define(lineage: Lineage, run_id: str) -> Definition:
    """Return all that determines the weights; the run keeps the patch."""
    log = lineage.log
    given = None if log is None else Log(folder=redact_uri(log.folder), labels=log.labels and redact_uri(log.labels))
    patch = read_patch()
    return Definition(
        source=describe_source(git_commit(), patch, keep_patch(patch, run_id, lineage.problem)),
        data=describe_data(lineage),
        problem=describe_problem(lineage.problem),
        options=Options(
            seed=lineage.options.seed,
            split_seed=SEED,
            epochs=lineage.options.epochs,
            rows=lineage.rows,
            accept_schema_change=lineage.accept_change,
            log=given,
            memory=lineage.memory if lineage.table.on_disk else None,
        ),
        environment=describe_environment(),
        machine=describe_machine(),
    )


def describe_data(lineage: Lineage) -> Data:
    """Return which rows were read."""
    table, time = lineage.table, lineage.problem.split.moment
    first, last = table.find_ends(time) if time else (None, None)
    return Data(
        digest=table.digest, rows=table.rows, source=table.source, snapshot=lineage.snapshot,
        first=first, last=last, notes=table.notes,
    )  # fmt: skip


def check_digest(table: Table, expected: str | None) -> None:
    """Raise InvalidTable if a table of another digest is expected."""
    if expected is not None and table.digest != expected:
        raise InvalidTable(
            f"{table.source} has the digest {table.digest}, but the model was trained on {expected}: put back the "
            "table as it was, or train on this one without --from-provenance"
        )


def describe_champion(name: str) -> Champion | None:
    """Return the version that answers now, if there is one."""
    champion = tracking.find_champion(name)
    if champion is None:
        return None
    return Champion(version=str(champion.version), manifest_digest=champion.tags.get(DIGEST_LABEL))


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
