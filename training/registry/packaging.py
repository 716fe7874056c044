"""Packs a trained network for serving: SavedModel, LiteRT, schema and golden answers in one folder.

The folder becomes an artifact of the MLflow run, and `storing` puts it into the BentoML store. Nothing is packed unless
every form of the network gives the golden answers.
"""

import contextlib
import io
import logging
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from ekiben.contract.encoding import Encoded
from ekiben.contract.feature import Value
from ekiben.contract.schema import Schema
from ekiben.contract.validation import validate_row
from ekiben.model.golden import Golden
from ekiben.model.package import GOLDEN_FILE, LITERT_FILE, SAVED_MODEL_FOLDER, SCHEMA_FILE
from ekiben.training.network.architecture import network_inputs
from ekiben.training.refusals import as_os_error
from ekiben.training.registry.saved_model import save_raw_and_encoded
from ekiben.training.tables.json_rows import to_rows

logger = logging.getLogger(__name__)

GOLDEN_ROWS = 256


def write_package(folder: Path, schema: Schema, network: keras.Model, raw_model: keras.Model) -> None:
    """Write the schema and every form of the network; a graph LiteRT can't convert gets none."""
    schema.save(folder / SCHEMA_FILE)
    with as_os_error(tf.errors.OpError):
        save_raw_and_encoded(folder / SAVED_MODEL_FOLDER, schema, network, raw_model)
    try:
        flatbuffer = convert_to_litert(network)
    except Exception as error:  # the converter raises whatever the graph brings up
        logger.warning("LiteRT can't convert this network, TensorFlow will serve it: %s", str(error).splitlines()[0])
    else:
        (folder / LITERT_FILE).write_bytes(flatbuffer)


def write_golden(folder: Path, rows: list[dict[str, Value]], answers: np.ndarray) -> None:
    """Write held-out rows and the answers the trained network gave, (rows, outputs)."""
    golden = Golden(rows=rows, answers=answers.astype(float).tolist())
    (folder / GOLDEN_FILE).write_text(golden.model_dump_json() + "\n", encoding="utf-8")


def choose_golden(schema: Schema, table: pd.DataFrame) -> np.ndarray:
    """Return the positions of up to GOLDEN_ROWS held-out rows, evenly spread, that a caller could send."""
    indices = np.unique(np.linspace(0, len(table) - 1, 2 * GOLDEN_ROWS).astype(int))
    rows = to_rows(schema, table.iloc[indices])
    fitting = [index for index, row in enumerate(rows) if not any(validate_row(schema, index, row))][:GOLDEN_ROWS]
    return np.asarray(indices[fitting])


def convert_to_litert(network: keras.Model) -> bytes:
    """Return the network on encoded rows as a LiteRT flatbuffer; raises what the converter raises."""
    # From a Keras model with a list of inputs: it can't take a dictionary, and a traced
    # function's weights would become variables that nobody sets.
    listed = keras.Model(list(network.inputs), network.outputs[0])
    with contextlib.redirect_stdout(io.StringIO()):  # Keras prints every tensor it exports
        flatbuffer: bytes = tf.lite.TFLiteConverter.from_keras_model(listed).convert()
    return flatbuffer


def predict_encoded(network: keras.Model, encoded: Encoded, batch_rows: int = 8192) -> np.ndarray:
    """Return the network's answers, (rows, outputs)."""
    return np.asarray(network.predict(network_inputs(encoded), batch_size=batch_rows, verbose=0))
