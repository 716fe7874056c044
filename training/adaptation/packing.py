"""Packs a trained network again with its bounds moved: every form of it, its golden answers, and what is said of it."""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from ekiben.contract.encoding import Encoder
from ekiben.contract.explanation.background import BACKGROUND_FILE, load_background
from ekiben.contract.explanation.background_learning import learn_background
from ekiben.contract.feature import Category, Feature, Timestamp
from ekiben.contract.reference.reference import REFERENCE_FILE
from ekiben.contract.schema import Schema
from ekiben.contract.timestamps import to_seconds
from ekiben.model.golden import Golden, load_golden
from ekiben.model.importance import IMPORTANCE_FILE
from ekiben.model.package import GOLDEN_FILE, REPORT_FILE
from ekiben.model.training_scores import EVALUATION_FILE, TrainingScores, load_training_scores
from ekiben.training.adaptation.network import Move
from ekiben.training.network.raw_inputs import build_raw_model, to_raw_arrays
from ekiben.training.registry.packaging import predict_encoded, write_golden, write_package
from ekiben.training.registry.saved_model import check_raw_answers
from ekiben.training.truth.intervals import OF_INTERVALS

AS_THEY_WERE = (REFERENCE_FILE, IMPORTANCE_FILE)  # counts of features and values, which bounds are no part of


@dataclass(frozen=True)
class Repacked:
    """The network as MLflow keeps it, with raw columns of a few rows."""

    raw_model: keras.Model
    example: dict[str, np.ndarray]


def pack_moved(
    before: Path, package: Path, schema: Schema, network: keras.Model, move: Move, page: str, said: str
) -> Repacked:
    """Write a package like the one `before`, of the network that it holds with bounds moved.

    `page` becomes its report, and `said` what scores and card say of its intervals. Raises PackingFailed unless all
    forms give the answers of before, moved.
    """
    moved = move.network(network)
    raw_model = build_raw_model(schema, moved)
    write_package(package, schema, moved, raw_model)
    golden = _move_golden(before, schema, network, move)
    answers = np.array(golden.answers, np.float32)
    if (before / GOLDEN_FILE).exists():
        write_golden(package, golden.rows, answers)
    arrays = to_raw(schema, golden.rows)
    check_raw_answers(package, schema.target, arrays, answers)
    if (before / BACKGROUND_FILE).exists():
        rows = load_background(before / BACKGROUND_FILE, schema).rows
        learn_background(schema, rows, partial(predict_encoded, moved)).save(package / BACKGROUND_FILE)
    for name in AS_THEY_WERE:
        if (before / name).exists():
            shutil.copy(before / name, package / name)
    forget_intervals(load_training_scores(before / EVALUATION_FILE), said).save(package / EVALUATION_FILE)
    (package / REPORT_FILE).write_text(page, encoding="utf-8")
    return Repacked(raw_model, arrays)


def forget_intervals(scores: TrainingScores, said: str) -> TrainingScores:
    """Return scores without those of intervals, which were measured before these were moved."""
    slices = {
        column: {value: _keep_others(one) for value, one in values.items()} for column, values in scores.slices.items()
    }
    changed = {"scores": _keep_others(scores.scores), "slices": slices, "coverage": (), "intervals": said}
    return scores.model_copy(update=changed)


def to_raw(schema: Schema, rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return JSON rows, which the schema takes, as the raw model's inputs, each (rows,)."""
    columns = {one.name: _to_column(one, [row.get(one.name) for row in rows]) for one in schema.features}
    return to_raw_arrays(schema, pd.DataFrame(columns))


def _to_column(feature: Feature, values: list[Any]) -> "pd.Series[Any]":
    if isinstance(feature, Timestamp):
        return pd.Series(to_seconds(feature, values).astype("datetime64[s]"))
    if isinstance(feature, Category):
        return pd.Series([None if value is None else str(value) for value in values], dtype=object)
    return pd.Series(values, dtype=float)


def _move_golden(before: Path, schema: Schema, network: keras.Model, move: Move) -> Golden:
    """Return the golden rows and what they are to be answered; without any, the schema's example."""
    if (before / GOLDEN_FILE).exists():
        golden = load_golden(before / GOLDEN_FILE)
        answers = np.array(golden.answers, np.float32)
    else:
        golden = Golden(rows=[schema.example], answers=[])
        answers = predict_encoded(network, Encoder(schema).encode_rows(golden.rows))
    return golden.model_copy(update={"answers": move.answers(answers).tolist()})


def _keep_others(scores: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in scores.items() if name not in OF_INTERVALS}
