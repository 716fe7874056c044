"""A trained network whose bounds are moved apart by a margin: one more addition at its end, in every form of it."""

from dataclasses import dataclass
from typing import Any

import keras
import mlflow
import numpy as np
from mlflow.entities.model_registry import ModelVersion
from numpy.typing import NDArray

from ekiben.contract.errors import UserError
from ekiben.training.registry.reasons import says_gone
from ekiben.training.registry.store import STORE_ERRORS

NETWORK = "network"  # the layer of the logged model that takes encoded rows


def load_network(registered: ModelVersion) -> keras.Model:
    """Return a version's network on encoded rows from its logged model; raise UserError if it is gone."""
    try:
        raw_model = mlflow.keras.load_model(f"models:/{registered.name}/{registered.version}")
    except STORE_ERRORS as error:
        if not says_gone(error):
            raise
        raise _gone(registered) from None
    except Exception:  # the boundary: Keras raises anything where files are damaged
        raise _gone(registered) from None
    layer: keras.Model | None = next((one for one in raw_model.layers if isinstance(one, keras.Model)), None)
    if layer is None:
        raise _gone(registered)
    return layer


@dataclass(frozen=True)
class Move:
    """By how much bounds are moved apart, and what they never leave, as no count is below 0; in the answers' unit."""

    margin: float
    least: float = -np.inf
    most: float = np.inf

    def network(self, network: keras.Model) -> keras.Model:
        """Return the network with its bounds moved; they never cross the value."""
        outputs = network.outputs[0]
        value, low, high = (outputs[:, index : index + 1] for index in range(3))
        answers = self._apply(value, low, high, self.margin, keras.ops)
        return keras.Model(network.input, keras.layers.Concatenate()(answers), name=NETWORK)

    def answers(self, answers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what that network answers, (rows, 3), in float32 as it computes."""
        value, low, high = answers.astype(np.float32).T
        return np.column_stack(self._apply(value, low, high, np.float32(self.margin), np)).astype(np.float32)

    def _apply(self, value: Any, low: Any, high: Any, margin: Any, math: Any) -> list[Any]:
        low, high = low - margin, high + margin
        low = math.maximum(low, self.least) if np.isfinite(self.least) else low
        high = math.minimum(high, self.most) if np.isfinite(self.most) else high
        return [value, math.minimum(value, low), math.maximum(value, high)]


def _gone(registered: ModelVersion) -> UserError:
    return UserError(
        f"the Keras model of version {registered.version} of {registered.name} is gone from MLflow, or damaged: "
        "train again with `ekiben train`"
    )
