"""What a package needs to explain answers: background rows of the training part, and each feature's importance."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.explanation.background import BACKGROUND_FILE
from ekiben.contract.explanation.background_learning import learn_background
from ekiben.contract.explanation.explaining import ROUND_PAIRS, Explainer
from ekiben.contract.explanation.units import name_unit
from ekiben.contract.schema import Schema
from ekiben.model.engine import load_engine
from ekiben.model.importance import IMPORTANCE_FILE, FeatureImportance, Importance
from ekiben.model.package import LITERT_FILE, SAVED_MODEL_FOLDER, engine_kind
from ekiben.training.dataset.privacy import scramble
from ekiben.training.network.architecture import network_inputs
from ekiben.training.privacy_config import Carried

OFFERED_ROWS = 4096  # training rows to draw the background from: their mean answer is off by 1/64 of the spread
MAX_CELLS = 2**26  # of all rows that importance asks for: 256 golden rows of up to 80 features, 4 of 2,000
MIN_ROWS = 4
SEED = 5


def write_explanations(
    package: Path, schema: Schema, network: keras.Model, train: pd.DataFrame, golden: pd.DataFrame, how: Carried
) -> Importance:
    """Write the background, drawn from training rows, and the importance on golden rows; return the latter."""
    encoder, run = Encoder(schema), _choose_engine(package, network)
    indices = np.random.default_rng(SEED).permutation(len(train))[:OFFERED_ROWS]
    offered = train.iloc[np.sort(indices)]
    offered = scramble(schema, offered) if how == "scramble" else offered
    background = learn_background(schema, encoder.encode(offered), run)
    if how != "omit":
        background.save(package / BACKGROUND_FILE)
    importance = measure_importance(Explainer(schema, background), encoder.encode(golden), run)
    importance.save(package / IMPORTANCE_FILE)
    return importance


def measure_importance(explainer: Explainer, rows: Encoded, run: Callable[[Encoded], Answers]) -> Importance:
    """Return the mean size of each feature's attributions over rows, of ROUND_PAIRS pairs each."""
    names = explainer.schema.names
    cells = ROUND_PAIRS * explainer.rows_per_pair * len(names)
    explained = min(len(rows), max(MIN_ROWS, MAX_CELLS // cells))
    chosen = np.linspace(0, len(rows) - 1, explained).astype(int)
    sizes = np.array([_measure(explainer, rows[index : index + 1], run) for index in chosen])
    errors = sizes.std(axis=0, ddof=1) / np.sqrt(explained) if explained > 1 else np.zeros(len(names))
    values = sizes.mean(axis=0)
    order = np.argsort(-values, kind="stable")
    features = tuple(
        FeatureImportance(feature=names[index], value=values[index], standard_error=errors[index]) for index in order
    )
    return Importance(unit=name_unit(explainer.schema.target), rows=explained, features=features)


def _measure(explainer: Explainer, row: Encoded, run: Callable[[Encoded], Answers]) -> np.ndarray:
    explaining = explainer.start(row)
    explaining.add_round(run)
    return np.abs(explaining.explanation.attributions)


def _choose_engine(package: Path, network: keras.Model) -> Callable[[Encoded], Answers]:
    """Return what serves the package; where that is TensorFlow, which takes seconds to load, the network itself."""
    kind = engine_kind(package)
    if kind == "litert":
        return load_engine(kind, package / LITERT_FILE, package / SAVED_MODEL_FOLDER).run
    return lambda encoded: np.asarray(network(network_inputs(encoded), training=False))  # `predict` begins for 50 ms
