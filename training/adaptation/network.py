"""A trained network whose bounds are moved apart by a margin: one more addition at its end, in every form of it."""

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


def move_bounds(network: keras.Model, margin: float) -> keras.Model:
    """Return the network with its bounds moved apart by a margin in the answers' unit; they never cross the value."""
    outputs = network.outputs[0]
    value, low, high = (outputs[:, index : index + 1] for index in range(3))
    low, high = keras.ops.minimum(value, low - margin), keras.ops.maximum(value, high + margin)
    answers = keras.layers.Concatenate()([value, low, high])
    return keras.Model(network.input, answers, name=NETWORK)


def move_answers(answers: NDArray[np.float32], margin: float) -> NDArray[np.float32]:
    """Return what that network answers, (rows, 3), in float32 as it computes."""
    value, low, high = answers.astype(np.float32).T
    by = np.float32(margin)
    return np.column_stack([value, np.minimum(value, low - by), np.maximum(value, high + by)])


def _gone(registered: ModelVersion) -> UserError:
    return UserError(
        f"the Keras model of version {registered.version} of {registered.name} is gone from MLflow, or damaged: "
        "train again with `ekiben train`"
    )
