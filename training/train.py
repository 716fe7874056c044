"""The whole way from a table to a model in the BentoML store: `ekiben train`."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import mlflow
import numpy as np

from ekiben.contract.encoding import Encoder
from ekiben.contract.reference.reference import REFERENCE_FILE, Reference
from ekiben.contract.schema import Schema
from ekiben.model.package import PACKAGE
from ekiben.model.store import check_writable
from ekiben.model.training_scores import EVALUATION_FILE
from ekiben.training.checks.alarms.learning import learn_alarms
from ekiben.training.checks.answers_learning import describe_answers
from ekiben.training.checks.gate import (
    check_contract,
    find_contract,
    log_report,
    reject_nul_bytes,
    reject_skew,
    reject_unparseable,
)
from ekiben.training.checks.reference_learning import learn_reference
from ekiben.training.dataset.schema_learning import learn_schema
from ekiben.training.dataset.split import SEED, Parts, describe_split, split_table
from ekiben.training.dataset.target import check_parts, describe_target, encode_labels, learn_target
from ekiben.training.evaluate import format_scores, score
from ekiben.training.network.fit import FitOptions, LabelledRows, fit_network
from ekiben.training.network.raw_inputs import build_raw_model, to_raw_arrays
from ekiben.training.problem import ProblemConfig
from ekiben.training.progress import show_progress, show_steps
from ekiben.training.registry import tracking
from ekiben.training.registry.champion import promote_if_better
from ekiben.training.registry.fairness_logging import log_fairness
from ekiben.training.registry.git import git_commit
from ekiben.training.registry.openlineage import tell_lineage
from ekiben.training.registry.packaging import choose_golden, predict_encoded, write_golden, write_package
from ekiben.training.registry.provenance import Lineage, check_digest, publish_provenance
from ekiben.training.registry.publishing import publish_package
from ekiben.training.registry.run_logging import log_data, log_evaluation, log_model
from ekiben.training.registry.saved_model import check_raw_answers
from ekiben.training.registry.scores_packing import describe_scores
from ekiben.training.registry.store import check_store
from ekiben.training.sources import Source
from ekiben.training.sources.flights import digest_table
from ekiben.training.tables.read import Table, read_table
from ekiben.training.truth.training_table import LogTable, open_logged

REFERENCE_ANSWERS = 65_536  # rows: chance moves a bin of 20 by 2% of itself


@dataclass(frozen=True)
class Prepared:
    """A table that can be trained on: what was read, its schema, its parts, and their labels."""

    table: Table
    schema: Schema
    parts: Parts
    labels: tuple[np.ndarray, np.ndarray, np.ndarray]  # of the parts, (rows,) each


@dataclass(frozen=True)
class Trained:
    """A network, and what it answered on the test rows."""

    network: keras.Model
    answers: np.ndarray  # (test rows, outputs)
    scores: dict[str, float]


def train(
    problem: ProblemConfig,
    options: FitOptions,
    rows: int | None = None,
    accept_change: bool = False,
    log: LogTable | None = None,
    expected: str | None = None,
) -> str:
    """Train, evaluate, register and, if it beats the champion, pack; return the registered version.

    With `rows` only about that many rows, evenly spread over the table, are used. With
    `accept_change` the table may differ from the schema of the champion. A `log` of a service is
    the table in place of the problem's own. Its digest is the one `expected`, if any. What is
    registered is complete: an interrupted run leaves neither a version nor another champion.
    """
    check_store()
    check_writable()  # now rather than after an hour
    contract = find_contract(problem.name)
    schema = contract.schema if contract else None
    reference = contract.reference if contract else None
    problem, logged = open_logged(problem, schema, log, accept_change, reference) if log else (problem, None)
    table = read_with_progress(problem, rows, lenient=contract is not None, logged=logged)
    report = check_contract(contract, problem, table) if contract else None
    if contract and report and not accept_change:
        reject_skew(contract, table, report)
    reject_unparseable(table)
    prepared = prepare(problem, table)
    digest = check_digest(table, digest_table(table.frame), expected)
    tracking.open_store(problem.name)
    tracking.close_abandoned_runs(problem.name)
    mlflow.keras.autolog(log_models=False, log_datasets=False)
    with mlflow.start_run() as run, tempfile.TemporaryDirectory() as scratch, tell_lineage(run, problem, digest):
        lineage = {
            "run_id": run.info.run_id,
            "data_digest": digest,
            "schema_digest": prepared.schema.digest,
            "git_commit": git_commit(),
        }
        tracking.tag_process()
        log_data(problem, table.frame, prepared.parts, lineage, table.source)
        if report:
            log_report(problem.name, report)
        trained = fit_and_score(problem, prepared, options)
        print(f"{len(trained.answers):,} test rows, {describe_split(problem.split)}:\n{format_scores(trained.scores)}")
        target, test, labels = prepared.schema.target, prepared.parts.test, prepared.labels[2]
        log_evaluation(problem, target, test, labels, trained.answers, trained.scores)
        groups = log_fairness(problem, target, test, labels, trained.answers)
        (package := Path(scratch) / PACKAGE).mkdir()
        packed = describe_scores(problem, target, test, labels, trained.answers, trained.scores, groups)
        packed.save(package / EVALUATION_FILE)
        model_uri = pack(package, prepared, trained, problem.split.time)
        publish_provenance(package, Lineage(problem, options, table, digest, prepared.parts, rows, accept_change, log))
        version = tracking.register(problem.name, model_uri, lineage)
        publish_package(package, version, run.info.run_id)
    with tracking.deciding():  # the run is complete, whatever comes of this
        promote_if_better(prepared.schema, test, labels, version, trained.scores)
    return version


def read_with_progress(problem: ProblemConfig, rows: int | None, lenient: bool, logged: Source | None = None) -> Table:
    """Read the table with a progress bar, or about that many of its rows."""
    with show_progress("reading") as report:
        table = read_table(problem, report, lenient, logged)
    return table.thin(rows) if rows else table


def prepare(problem: ProblemConfig, table: Table, seed: int = SEED) -> Prepared:
    """Cut a table into parts and learn its schema; raise InvalidTable if it can't be trained on.

    The seed is that of a cut at random.
    """
    column = table.frame[problem.target.name]
    target = learn_target(problem.target, column)
    print(f"{len(column):,} rows of {table.source}{describe_target(target, column)}")
    for note in table.notes:
        print(note)
    strata = None if target.task == "regression" else encode_labels(target, column)
    parts = split_table(table.frame, problem.split, strata, seed)
    labels = [encode_labels(target, part[target.name]) for part in (parts.train, parts.validation, parts.test)]
    check_parts(target, dict(zip(("training", "validation", "test"), labels, strict=True)))
    declared = {name: feature.facts() for name, feature in problem.features.items()}
    schema = learn_schema(problem.name, table.frame, target, declared, parts.train)
    reject_nul_bytes(schema)
    return Prepared(table, schema, parts, (labels[0], labels[1], labels[2]))


def fit_and_score(problem: ProblemConfig, prepared: Prepared, options: FitOptions) -> Trained:
    """Encode, fit, and score on the test rows."""
    schema, parts = prepared.schema, prepared.parts
    encoder = Encoder(schema)
    train, validation, test = (
        LabelledRows(encoder.encode(part), labels)
        for part, labels in zip((parts.train, parts.validation, parts.test), prepared.labels, strict=True)
    )
    options = replace(options, by_time=problem.split.time is not None)
    network = fit_network(schema, train, validation, options)
    answers = predict_encoded(network, test.encoded)
    return Trained(network, answers, score(schema.target, test.labels, answers))


def pack(package: Path, prepared: Prepared, trained: Trained, time: str | None) -> str:
    """Write and check the packed folder, log it and the model with the run; return the model's URI.

    Alarms are learned from the days of the column `time`.
    """
    schema, test = prepared.schema, prepared.parts.test
    with show_steps("packing", 4) as step:
        step("network")
        rows, indices = choose_golden(schema, test)
        write_golden(package, rows, trained.answers[indices])
        raw_model = build_raw_model(schema, trained.network)
        write_package(package, schema, trained.network, raw_model)
        describe_values(prepared, trained.network, time).save(package / REFERENCE_FILE)
        step("golden answers")
        golden = to_raw_arrays(schema, test.iloc[indices])
        check_raw_answers(package, schema.target, golden, trained.answers[indices])
        step("MLflow model")
        model_uri = log_model(schema, raw_model, {name: array[:5] for name, array in golden.items()})
        step("MLflow artifacts")
        mlflow.log_artifacts(str(package), PACKAGE)
    return model_uri


def describe_values(prepared: Prepared, network: keras.Model, time: str | None) -> Reference:
    """Return what the table's rows and days look like, and what the network answers to a sample spread over them."""
    schema, table = prepared.schema, prepared.table
    reference = learn_reference(schema, table.columns, table.frame)
    indices = np.unique(np.linspace(0, len(table.frame) - 1, REFERENCE_ANSWERS).astype(int))
    encoded = Encoder(schema).encode(table.frame.iloc[indices])
    described = describe_answers(reference, schema, encoded, predict_encoded(network, encoded))
    return learn_alarms(schema, described, table.frame, time)
