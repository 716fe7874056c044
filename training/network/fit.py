"""Fits the network, the same seed always to the same weights."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ekiben.contract.encoding import Encoded
from ekiben.contract.schema import Schema, Target
from ekiben.training.network.architecture import Design, build_towers
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.batches import TaughtRows, stream_batches
from ekiben.training.network.best_weights import BestWeights
from ekiben.training.network.interrupts import deferred_interrupts
from ekiben.training.network.losses import build_loss
from ekiben.training.network.optimizer import FusedAdamW
from ekiben.training.network.plan import FitOptions, plan_fit
from ekiben.training.network.scaling import TargetScale, scale_numbers, scale_target

__all__ = ["FitOptions", "LabelledRows", "fit_network"]


@dataclass(frozen=True)
class LabelledRows:
    """Encoded rows, their labels, (rows,): 0 and 1, the positions of the classes, or numbers; and what each counts for.

    Without `weights`, (rows,), every row counts 1.
    """

    encoded: Encoded
    labels: np.ndarray
    weights: np.ndarray | None = None


def fit_network(schema: Schema, train: LabelledRows, validation: LabelledRows, options: FitOptions) -> keras.Model:
    """Fit towers with AdamW, its learning rate falling to zero along a cosine, and return the mean of the best ones.

    Of more than FEW_EPOCHS the one with the lowest validation loss is kept.
    """
    keras.utils.clear_session()  # layers are numbered on from fit to fit, and their names order the sums of gradients
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    target = schema.target
    plan = plan_fit(len(train.labels), train.encoded.numbers.shape[1] + train.encoded.codes.shape[1], options)
    later = validation.encoded.numbers if options.by_time else None
    numbers = scale_numbers(train.encoded.numbers, plan.bins, later)
    scale = scale_target(target, train.labels, train.weights)
    design = Design(schema, numbers, scale, plan.shape)
    towers = build_towers(design)
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.steps)
    towers.compile(
        FusedAdamW(schedule, weight_decay=plan.weight_decay),
        build_loss(target.task, plan.shape.teacher_shares),
        steps_per_execution=plan.block_steps,
    )
    with deferred_interrupts() as interrupt:
        labels, weights = _learnable(target, scale, validation.labels), _weights(validation)
        best_weights = BestWeights(target, validation.encoded, labels, weights, plan, interrupt)
        towers.fit(
            stream_batches([_teach(target, scale, train)], plan.batch_rows, plan.block_steps, options.seed),
            epochs=plan.epochs,
            steps_per_epoch=plan.epoch_steps,
            verbose=0,
            callbacks=[best_weights],  # a new list each time: autologging appends to it
        )
    margin = best_weights.interval_margin() if target.task == "regression" else 0.0
    return average_towers(towers, design, best_weights.shares, margin)


def _teach(target: Target, scale: TargetScale, rows: LabelledRows) -> TaughtRows:
    weights = _weights(rows)
    mean = weights.mean()

    def targets(positions: np.ndarray) -> np.ndarray:
        labels = _learnable(target, scale, rows.labels[positions])
        return np.stack([labels, weights[positions] / mean], axis=1, dtype=np.float32)

    return TaughtRows(rows.encoded, targets)


def _weights(rows: LabelledRows) -> np.ndarray:
    if rows.weights is None:
        return np.broadcast_to(np.float32(1), len(rows.labels))
    return rows.weights


def _learnable(target: Target, scale: TargetScale, labels: np.ndarray) -> np.ndarray:
    if target.task != "regression":
        return labels.astype(np.int32)
    return ((labels - scale.centre) / scale.spread).astype(np.float32)
