"""The rows that every model is fitted to and scored on: the product's own split, encoded by its own encoder."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoder
from ekiben.contract.schema import Schema, Target
from ekiben.training.evaluate import score
from ekiben.training.preparation import Prepared

LOSSES = {"binary": "log_loss", "multiclass": "log_loss", "regression": "rmse"}


@dataclass(frozen=True)
class Part:
    """Encoded rows: the numbers, NaN where missing, then the codes of categories."""

    inputs: NDArray[np.float32]  # (rows, inputs)
    labels: NDArray[Any]  # (rows,)


@dataclass(frozen=True)
class Data:
    """A table as every model gets it."""

    target: Target
    categories: tuple[int, ...]  # the inputs that are codes
    train: Part
    validation: Part
    test: Part

    @property
    def both(self) -> Part:
        """The rows to train and to validate on."""
        parts = (self.train, self.validation)
        return Part(np.concatenate([part.inputs for part in parts]), np.concatenate([part.labels for part in parts]))

    @property
    def digest(self) -> str:
        """What tells these rows from others."""
        hashed = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            hashed.update(part.inputs.tobytes() + part.labels.tobytes())
        return hashed.hexdigest()[:12]

    def score(self, part: Part, answers: NDArray[Any]) -> dict[str, float]:
        """Return the product's metrics of answers to a part."""
        return score(self.target, part.labels, answers)

    def loss(self, part: Part, answers: NDArray[Any]) -> float:
        """Return what is least of the best answers."""
        return self.score(part, answers)[LOSSES[self.target.task]]


def encode_data(prepared: Prepared) -> Data:
    """Encode the three parts."""
    schema, encoder = prepared.schema, Encoder(prepared.schema)
    parts = []
    for frame, labels in zip(_frames(prepared), prepared.labels, strict=True):
        encoded = encoder.encode(frame)
        parts.append(Part(np.hstack([encoded.numbers, encoded.codes.astype(np.float32)]), labels))
    return Data(schema.target, _find_categories(schema), *parts)


def cpu_seconds() -> float:
    """Return what this process and those it waited for have computed so far."""
    return time.process_time() + _children()


def _children() -> float:
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _frames(prepared: Prepared) -> tuple[Any, Any, Any]:
    return prepared.parts.train, prepared.parts.validation, prepared.parts.test


def _find_categories(schema: Schema) -> tuple[int, ...]:
    numbers = len(schema.number_names)
    return tuple(range(numbers, numbers + len(schema.categories)))
