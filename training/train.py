"""The whole way from a table to a model in the BentoML store: `ekiben train`."""

import mlflow

from ekiben.model.store import check_writable
from ekiben.model.training_scores import TrainingScores
from ekiben.training.checks.gate import check_contract, find_contract, log_report, reject_skew, reject_unparseable
from ekiben.training.dataset.split import describe_split
from ekiben.training.decision import decide, log_decision
from ekiben.training.decision_learning import adopt
from ekiben.training.evaluate import format_scores
from ekiben.training.fitting import Trained, score_network
from ekiben.training.network.fit import FitOptions
from ekiben.training.packing import pack_and_register
from ekiben.training.preparation import Prepared, read_with_progress
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry import tracking
from ekiben.training.registry.champion import promote_if_better
from ekiben.training.registry.coverage_logging import log_coverage
from ekiben.training.registry.fairness_logging import log_fairness
from ekiben.training.registry.git import git_commit
from ekiben.training.registry.openlineage import tell_lineage
from ekiben.training.registry.provenance import Lineage, check_digest
from ekiben.training.registry.run_logging import log_data, log_evaluation
from ekiben.training.registry.scores_packing import describe_scores
from ekiben.training.registry.store import check_store
from ekiben.training.streaming.fitting import fit_prepared
from ekiben.training.streaming.preparing import prepare_within
from ekiben.training.streaming.scratch import Room
from ekiben.training.streaming.spill import find_spill
from ekiben.training.target_scale import adopt_scale, log_scale
from ekiben.training.truth.training_table import LogTable, open_logged
from ekiben.training.versions.snapshots import find_kept, keep_table


def train(
    problem: ProblemConfig,
    options: FitOptions,
    rows: int | None = None,
    accept_change: bool = False,
    log: LogTable | None = None,
    kept: str | None = None,
    keep: bool = False,
    expected: str | None = None,
    room: Room | None = None,
) -> str:
    """Train, evaluate, register and, if it beats the champion, pack; return the registered version.

    With `rows` only about that many rows, evenly spread over the table, are used. With
    `accept_change` the table may differ from the schema of the champion. A `log` of a service is
    the table in place of the problem's own, or the one that was `kept` under a digest; `keep` keeps
    this one. Its digest is the one `expected`, if any. A table for which the `room` has too little memory is trained on
    from its disk. What is registered is complete: an interrupted run leaves neither a version nor another champion.
    """
    check_store()
    check_writable()  # now rather than after an hour
    contract = find_contract(problem.name)
    schema = contract.schema if contract else None
    reference = contract.reference if contract else None
    problem, logged = open_logged(problem, schema, log, accept_change, reference) if log else (problem, None)
    spill = find_spill(problem, room, print)
    table = read_with_progress(problem, rows, contract is not None, logged, kept, spill)
    report = check_contract(contract, problem, table) if contract else None
    if contract and report and not accept_change:
        reject_skew(contract, table, report)
    reject_unparseable(table)
    prepared = adopt_scale(problem, prepare_within(problem, table, room))
    check_digest(table, expected)
    snapshot = keep_table(table) if keep else find_kept(kept) if kept else None
    memory = room.budget.bytes if room else None
    made_of = Lineage(problem, options, table, prepared.parts, rows, accept_change, log, snapshot, memory=memory)
    open_runs(problem.name)
    with mlflow.start_run() as run, tell_lineage(run, problem, table.digest):
        lineage = describe_lineage(prepared, run.info.run_id)
        tracking.tag_process()
        log_data(problem, table.frame, prepared.parts, lineage, table.source)
        if report:
            log_report(problem.name, report)
        fitted = fit_prepared(problem, prepared, options)
        log_scale(prepared)
        decision = decide(problem, prepared, fitted)
        prepared = adopt(prepared, decision)
        log_decision(decision, prepared.schema)
        lineage = describe_lineage(prepared, run.info.run_id)
        trained = score_network(prepared, fitted.network)
        scores = evaluate(problem, prepared, trained)
        version = pack_and_register(made_of, prepared, trained, scores, lineage)
    with tracking.deciding():  # the run is complete, whatever comes of this
        promote_if_better(
            prepared.schema, prepared.parts.test, prepared.labels[2], version, trained.scores, prepared.weights[2]
        )
    return version


def open_runs(name: str) -> None:
    """Choose the store and the problem's runs in it, and what of a fit goes there by itself."""
    tracking.open_store(name)
    tracking.close_abandoned_runs(name)
    mlflow.keras.autolog(log_models=False, log_datasets=False)


def describe_lineage(prepared: Prepared, run_id: str) -> dict[str, str]:
    """Return what a run, its version and its package say of where they come from."""
    return {
        "run_id": run_id,
        "data_digest": prepared.table.digest,
        "schema_digest": prepared.schema.digest,
        "git_commit": git_commit(),
    }


def evaluate(problem: ProblemConfig, prepared: Prepared, trained: Trained) -> TrainingScores:
    """Print and log how good the answers on the test rows are, and return what a package keeps of it."""
    target, test, labels = prepared.schema.target, prepared.parts.test, prepared.labels[2]
    weights = prepared.weights[2]
    print(f"{len(trained.answers):,} test rows, {describe_split(problem.split)}:\n{format_scores(trained.scores)}")
    log_evaluation(problem, target, test, labels, trained.answers, trained.scores, weights)
    groups = log_fairness(problem, target, test, labels, trained.answers, weights)
    scores = describe_scores(problem, target, test, labels, trained.answers, trained.scores, groups, weights)
    log_coverage(scores)
    return scores.model_copy(update={"decision": prepared.decision, "scale": prepared.scale})
