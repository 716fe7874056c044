"""Lets the network answer the test rows, and logs how good that is."""

import json

import keras
import mlflow
import numpy as np

from ekiben.model.training_scores import EVALUATION_FILE
from ekiben.pipeline.records.record import StepRecord
from ekiben.pipeline.step import Given, Made
from ekiben.pipeline.steps.table import prepare_decided
from ekiben.pipeline.steps.train import NETWORK
from ekiben.training.evaluate import format_number, promotion_metric
from ekiben.training.fitting import Trained, score_network
from ekiben.training.preparation import Prepared
from ekiben.training.registry import tracking
from ekiben.training.train import evaluate, open_runs

BUILDS_ON = ("ingest", "train")
GATED = False
OPTIONS: tuple[str, ...] = ()
ANSWERS, SCORES = "answers.npy", "scores.json"


def find_inputs(given: Given) -> dict[str, str]:
    """Return nothing: the table and the network are all."""
    return {}


def run(given: Given) -> Made:
    """Answer, score, and keep both."""
    problem, prepared = prepare_decided(given)
    trained = score_network(prepared, load_network(given))
    open_runs(problem.name)
    with mlflow.start_run(run_id=given.run_id):
        tracking.tag_process()
        evaluate(problem, prepared, trained).save(given.folder / EVALUATION_FILE)
    np.save(given.folder / ANSWERS, trained.answers)
    (given.folder / SCORES).write_text(json.dumps(trained.scores, indent=1) + "\n", encoding="utf-8")
    metric = promotion_metric(problem.target)
    value = format_number(trained.scores[metric])
    return Made(f"{metric} {value} on {len(trained.answers):,} test rows", mlflow_run=given.run_id)


def load_network(given: Given) -> keras.Model:
    """Return the network that `train` kept."""
    return keras.models.load_model(given.find("train", NETWORK), compile=False)


def load_trained(given: Given, prepared: Prepared) -> Trained:
    """Return the network with the answers and scores that `evaluate` kept."""
    scores = json.loads(given.find("evaluate", SCORES).read_bytes())
    return Trained(load_network(given), np.load(given.find("evaluate", ANSWERS), allow_pickle=False), scores)


def check(given: Given, record: StepRecord) -> None:
    """Everything that is made is a file."""
