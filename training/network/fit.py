"""Fits the network, the same seed always to the same weights."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Schema, Target
from ekiben.training.network.architecture import Shape, average_towers, build_towers, network_inputs
from ekiben.training.network.best_weights import BestWeights
from ekiben.training.network.interrupts import deferred_interrupts
from ekiben.training.network.losses import LOSSES
from ekiben.training.network.scaling import TargetScale, scale_numbers, scale_target

BINS = 8
MAX_BINNED_INPUTS = 64


@dataclass(frozen=True)
class FitOptions:
    """What a training run can be told; the rest follows from the table."""

    seed: int = 0
    epochs: int | None = None
    by_time: bool = False  # the rows to validate and test on are later: bins fit yesterday's numbers too closely


@dataclass(frozen=True)
class Plan:
    """What follows from the table."""

    epochs: int
    batch_rows: int
    learning_rate: float
    weight_decay: float
    bins: int
    shape: Shape


@dataclass(frozen=True)
class LabelledRows:
    """Encoded rows and their labels, (rows,): 0 and 1, the positions of the classes, or numbers."""

    encoded: Encoded
    labels: np.ndarray


def plan_fit(rows: int, inputs: int, options: FitOptions) -> Plan:
    """Return how a table of so many training rows and inputs is fitted."""
    batch_rows = int(np.clip(2 ** round(np.log2(max(rows, 1) / 240)), 32, 8192))
    epochs = options.epochs or int(np.clip(round(1_000_000 / rows), 3, 100))
    bins = 0 if options.by_time or inputs > MAX_BINNED_INPUTS else BINS
    return Plan(epochs, batch_rows, 1e-3, 1e-2, bins, Shape(towers=2 if rows > 20_000 else 4))


def fit_network(schema: Schema, train: LabelledRows, validation: LabelledRows, options: FitOptions) -> keras.Model:
    """Fit a network with AdamW, its learning rate falling to zero along a cosine.

    Of more than FEW_EPOCHS the one with the lowest validation loss is kept.
    """
    keras.utils.clear_session()  # layers are numbered on from fit to fit, and their names order the sums of gradients
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    target = schema.target
    plan = plan_fit(len(train.labels), train.encoded.numbers.shape[1] + train.encoded.codes.shape[1], options)
    scale = scale_target(target, train.labels)
    towers = build_towers(schema, scale_numbers(train.encoded.numbers, plan.bins), scale, plan.shape)
    steps = plan.epochs * -(-len(train.labels) // plan.batch_rows)
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, steps)
    towers.compile(keras.optimizers.AdamW(schedule, weight_decay=plan.weight_decay), LOSSES[target.task])
    labels = _scaled_labels(target, scale, validation.labels)
    with deferred_interrupts() as interrupt:
        best_weights = BestWeights(target, validation.encoded, labels, steps, plan.epochs, interrupt)
        towers.fit(
            network_inputs(train.encoded),
            _scaled_labels(target, scale, train.labels)[:, None, None],
            epochs=plan.epochs,
            batch_size=plan.batch_rows,
            verbose=0,
            callbacks=[best_weights],  # a new list each time: autologging appends to it
        )
    margin = best_weights.interval_margin(options.by_time) if target.task == "regression" else 0.0
    return average_towers(towers, target, scale, margin)


def _scaled_labels(target: Target, scale: TargetScale, labels: np.ndarray) -> np.ndarray:
    if target.task != "regression":
        return labels.astype(np.float32 if target.task == "binary" else np.int32)
    return ((labels - scale.centre) / scale.spread).astype(np.float32)
