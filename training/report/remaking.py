"""Makes the report of the packed model again, from the table that it was trained on: `ekiben report`."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from mlflow.tracking import MlflowClient
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ekiben.contract.encoding import Encoder
from ekiben.contract.errors import UserError
from ekiben.contract.report_output import write_report
from ekiben.model.package import REPORT_FILE
from ekiben.model.provenance import Definition
from ekiben.training.dataset.groups import number_groups
from ekiben.training.evaluate import promotion_metric
from ekiben.training.fitting import fit
from ekiben.training.network.fit import FitOptions
from ekiben.training.preparation import Prepared
from ekiben.training.problem import ProblemConfig
from ekiben.training.registry import tracking
from ekiben.training.registry.packaging import predict_encoded
from ekiben.training.registry.store import StoreUnreachable
from ekiben.training.report.comparison import Drawing
from ekiben.training.report.findings import draw_test_rows, find_all
from ekiben.training.report.learning_curve import MIN_ROWS, LearningCurve, draw_curve
from ekiben.training.report.learning_section import describe_curve
from ekiben.training.report.origin import Origin
from ekiben.training.report.page import render_page


def remake(origin: Origin, output: Path, learning: bool) -> None:
    """Write the report of a packed model to a file, with a learning curve if asked for, and log it."""
    model, problem, prepared = origin.model, origin.problem, origin.prepared
    encoded, engine = Encoder(model.schema).encode(prepared.parts.test), model.start_engine()
    answers, drawing = engine.run(encoded), draw_test_rows(problem, prepared)
    curve = learn(problem, prepared, origin.definition, drawing, answers) if learning else None
    with threadpool_limits(1):
        findings = find_all(problem, prepared, answers, engine.run, model.importance, drawing, curve)
        page = render_page(findings)
    write_report(page, output)
    for line in describe_curve(curve) if curve else ():
        print(line)
    print(f"wrote {output}")
    log_again(output, model.manifest.run_id)


def learn(
    problem: ProblemConfig,
    prepared: Prepared,
    definition: Definition,
    drawing: Drawing,
    whole: NDArray[np.float32],
) -> LearningCurve:
    """Fit networks to parts of the training rows, as the packed one was fitted to all of them."""
    parts, labels = prepared.parts, prepared.labels
    if len(parts.train) < MIN_ROWS:
        raise UserError(f"{len(parts.train):,} rows to train on are too few for a learning curve: at least {MIN_ROWS}")
    options = FitOptions(seed=definition.options.seed, epochs=definition.options.epochs)
    encoded = Encoder(prepared.schema).encode(parts.test)

    def answer(rows: NDArray[np.intp]) -> NDArray[np.float32] | None:
        own = labels[0][rows]
        if own.min() == own.max():
            return None
        weights = None if prepared.weights[0] is None else prepared.weights[0][rows]
        fewer = replace(
            prepared,
            parts=replace(parts, train=parts.train.iloc[rows]),
            labels=(own, *labels[1:]),
            weights=(weights, *prepared.weights[1:]),
        )
        return predict_encoded(fit(problem, fewer, options).network, encoded)

    metric, group = promotion_metric(prepared.schema.target), problem.split.group
    groups = number_groups(parts.train[group]) if group else np.arange(len(parts.train))
    return draw_curve(drawing, metric, groups, whole, answer)


def log_again(page: Path, run_id: str) -> None:
    """Make a page the report of a run, beside its package, which stays as it is; say so if there is no such run."""
    try:
        with tracking.existing_store(), tempfile.TemporaryDirectory() as scratch:
            shutil.copy(page, named := Path(scratch) / REPORT_FILE)
            MlflowClient().log_artifact(run_id, str(named))
    except StoreUnreachable as error:
        print(f"note: it is not logged with the run: {error}")
