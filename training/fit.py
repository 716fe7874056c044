"""Fits the network, the same seed always to the same weights, and shows how it goes."""

from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from contract.encode import Encoded
from contract.schema import Schema
from training.network import Shape, build_network, measure_moments, network_inputs


@dataclass(frozen=True)
class Recipe:
    """What a training run can be told; the command line has a flag for each."""

    seed: int = 0
    epochs: int = 4
    batch_rows: int = 1024
    learning_rate: float = 1e-3
    shape: Shape = field(default_factory=Shape)


@dataclass(frozen=True)
class Labelled:
    """Encoded rows and their labels, (rows,) of 0 and 1."""

    encoded: Encoded
    labels: np.ndarray


def fit_network(schema: Schema, train: Labelled, validation: Labelled, recipe: Recipe) -> keras.Model:
    """Fit a network with Adam, its learning rate falling to zero along a cosine."""
    keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    moments = measure_moments(train.encoded.numbers)
    network, towers = build_network(schema, moments, float(train.labels.mean()), recipe.shape)
    steps_per_epoch = -(-len(train.labels) // recipe.batch_rows)
    schedule = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.epochs * steps_per_epoch)
    towers.compile(keras.optimizers.Adam(schedule), "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    towers.fit(
        network_inputs(train.encoded),
        _for_each_tower(train.labels, recipe.shape.towers),
        validation_data=(network_inputs(validation.encoded), _for_each_tower(validation.labels, recipe.shape.towers)),
        epochs=recipe.epochs,
        batch_size=recipe.batch_rows,
        verbose=0,
        callbacks=[ProgressBar(recipe.epochs * steps_per_epoch)],  # a new list each time: autologging appends to it
    )
    return network


def _for_each_tower(labels: np.ndarray, towers: int) -> np.ndarray:
    return np.repeat(labels[:, None], towers, axis=1)


class ProgressBar(keras.callbacks.Callback):
    """One bar for the whole fit, with the last epoch's validation scores beside it."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._bar = tqdm(total=steps, desc="training", unit="batch")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        scores = logs or {}
        self._bar.set_postfix(val_loss=f"{scores['val_loss']:.4f}", val_auc=f"{scores['val_auc']:.4f}")

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._bar.close()
