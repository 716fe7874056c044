"""The packed model as the peers hold it, in environments without BentoML: in TensorFlow or in LiteRT.

TensorFlow is what a Keras user would serve: the SavedModel on raw columns, by its concrete
function. LiteRT behind our encoding is what Ekiben itself computes with; a peer that has it
too differs from Ekiben in nothing but the server.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ekiben.contract.answers import Answers, to_predictions
from ekiben.contract.encoding import Encoder
from ekiben.contract.schema import Schema, load_schema
from ekiben.model.engine import LiteRTEngine

# What ekiben.load_tests.servers.start says about the model; the peers can't ask BentoML.
NAME, VERSION, SCHEMA = "PEER_MODEL", "PEER_VERSION", "PEER_SCHEMA"
LITERT, SAVED_MODEL = "PEER_LITERT", "PEER_SAVED_MODEL"
MISSING = {"number": float("nan"), "boolean": float("nan"), "category": "", "timestamp": ""}
Rows = Sequence[dict[str, Any]]


class Network(Protocol):
    """One of the two."""

    def answer(self, rows: Rows) -> Answers:
        """Return the network's answers, (rows, outputs)."""


@dataclass(frozen=True)
class Packed:
    """A model that predicts rows."""

    schema: Schema
    network: Network

    def predict(self, rows: Rows) -> list[dict[str, Any]]:
        """Return one prediction a row, as JSON will hold it."""
        return to_predictions(self.schema.target, self.network.answer(rows))


def read_schema() -> Schema:
    """Read the schema of the model."""
    return load_schema(Path(os.environ[SCHEMA]))


def open_packed(engine: str) -> Packed:
    """Open the model with `TensorFlow` or `LiteRT`."""
    schema = read_schema()
    if engine == "LiteRT":
        return Packed(schema, LiteRTNetwork(schema, Path(os.environ[LITERT])))
    return Packed(schema, TensorFlowNetwork(schema, Path(os.environ[SAVED_MODEL])))


class LiteRTNetwork:
    """Checks, encodes and computes as the service does."""

    def __init__(self, schema: Schema, file: Path) -> None:
        self._encoder = Encoder(schema)
        self._engine = LiteRTEngine(file)

    def answer(self, rows: Rows) -> Answers:
        return self._engine.run(self._encoder.encode_rows(list(rows)))


class TensorFlowNetwork:
    """Calls the signature on raw columns."""

    def __init__(self, schema: Schema, folder: Path) -> None:
        import tensorflow as tf  # heavy: only where it is the engine

        self._constant = tf.constant
        self._loaded = tf.saved_model.load(str(folder))  # keeps the variables alive
        self._call = self._loaded.signatures["serving_default"]
        self._schema = schema

    def answer(self, rows: Rows) -> Answers:
        features = self._schema.features
        outputs = self._call(**{f.name: self._constant([_raw(row[f.name], f.kind) for row in rows]) for f in features})
        target = self._schema.target
        if target.task == "multiclass":
            return np.asarray(outputs["probabilities"])
        return np.stack([outputs[name].numpy() for name in target.outputs], axis=1)


def _raw(value: Any, kind: str) -> Any:
    return MISSING[kind] if value is None else value
