"""From a trained network to a registered version: its package, checked, logged with its run and published."""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import keras
import mlflow
import numpy as np

from ekiben.contract.encoding import Encoder
from ekiben.contract.reference.reference import REFERENCE_FILE, Reference
from ekiben.model.package import PACKAGE, REPORT_FILE
from ekiben.model.training_scores import EVALUATION_FILE, TrainingScores
from ekiben.training.card.importance import describe_importance
from ekiben.training.checks.alarms.learning import learn_alarms
from ekiben.training.checks.answers_learning import describe_answers
from ekiben.training.checks.reference_learning import learn_reference
from ekiben.training.dataset.privacy import scramble
from ekiben.training.fitting import Trained
from ekiben.training.network.raw_inputs import build_raw_model, to_raw_arrays
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.progress import show_steps
from ekiben.training.registry import tracking
from ekiben.training.registry.explanation_packing import write_explanations
from ekiben.training.registry.packaging import choose_golden, predict_encoded, write_golden, write_package
from ekiben.training.registry.presence import find_version_of
from ekiben.training.registry.provenance import Lineage, publish_provenance
from ekiben.training.registry.publishing import publish_package
from ekiben.training.registry.run_logging import log_model
from ekiben.training.registry.saved_model import check_raw_answers
from ekiben.training.report.writing import write_report
from ekiben.training.tables.json_rows import to_rows

REFERENCE_ANSWERS = 65_536  # rows: chance moves a bin of 20 by 2% of itself


def pack_and_register(
    made_of: Lineage, prepared: Prepared, trained: Trained, scores: TrainingScores, lineage: Mapping[str, str]
) -> str:
    """Pack a network, log all of it with the active run, and return the registered version, which is complete."""
    with tempfile.TemporaryDirectory() as scratch:
        (package := Path(scratch) / PACKAGE).mkdir()
        scores.save(package / EVALUATION_FILE)
        problem = made_of.problem
        model_uri = pack(package, prepared, trained, problem)
        publish_provenance(package, made_of)
        version = find_version_of(problem.name, lineage["run_id"])  # of a run that was stopped right here
        version = version or tracking.register(problem.name, model_uri, dict(lineage))
        publish_package(package, version, lineage["run_id"])
    return version


def pack(package: Path, prepared: Prepared, trained: Trained, problem: ProblemConfig) -> str:
    """Write and check the packed folder, log it and the model with the run; return the model's URI."""
    schema, test = prepared.schema, prepared.parts.test
    with show_steps("packing", 6) as step:
        step("network")
        indices = choose_golden(schema, test)
        chosen, answers = test.iloc[indices], trained.answers[indices]
        if problem.privacy.golden != "keep":
            chosen = scramble(schema, chosen)
            answers = predict_encoded(trained.network, Encoder(schema).encode(chosen))
        if problem.privacy.golden != "omit":
            write_golden(package, to_rows(schema, chosen), answers)
        raw_model = build_raw_model(schema, trained.network)
        write_package(package, schema, trained.network, raw_model)
        describe_values(prepared, trained.network, problem.split.moment).save(package / REFERENCE_FILE)
        step("explanations")
        parts = prepared.parts.train, test.iloc[indices]
        importance = write_explanations(package, schema, trained.network, *parts, problem.privacy.background)
        step("report")
        run = partial(predict_encoded, trained.network)
        write_report(package, problem, prepared, trained.answers, run, importance)
        step("golden answers")
        golden = to_raw_arrays(schema, chosen)
        check_raw_answers(package, schema.target, golden, answers)
        step("MLflow model")
        model_uri = log_model(schema, raw_model, {name: array[:5] for name, array in golden.items()})
        step("MLflow artifacts")
        mlflow.log_artifacts(str(package), PACKAGE)
        mlflow.log_artifact(str(package / REPORT_FILE))  # where people look
    print(describe_importance(importance))
    return model_uri


def describe_values(prepared: Prepared, network: keras.Model, time: str | None) -> Reference:
    """Return what the table's rows and days look like, and what the network answers to a sample spread over them.

    Alarms are learned from the days of the column `time`.
    """
    schema, table = prepared.schema, prepared.table
    reference = learn_reference(schema, table.columns, table.frame)
    indices = np.unique(np.linspace(0, len(table.frame) - 1, REFERENCE_ANSWERS).astype(int))
    encoded = Encoder(schema).encode(table.frame.iloc[indices])
    described = describe_answers(reference, schema, encoded, predict_encoded(network, encoded))
    return learn_alarms(schema, described, table.frame, time)
