"""Fits the network, the same seed always to the same weights."""

import keras
import tensorflow as tf

from ekiben.contract.schema import Schema
from ekiben.training.network.architecture import Design, build_towers
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.batches import stream_batches
from ekiben.training.network.best_weights import BestWeights
from ekiben.training.network.interrupts import deferred_interrupts
from ekiben.training.network.lessons import LabelledRows, plan_lessons, plan_taught_lessons, scale_labels
from ekiben.training.network.losses import build_loss
from ekiben.training.network.optimizer import FusedAdamW
from ekiben.training.network.plan import FitOptions, plan_fit
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.network.teacher import can_teach

__all__ = ["FitOptions", "LabelledRows", "fit_network"]


def fit_network(schema: Schema, train: LabelledRows, validation: LabelledRows, options: FitOptions) -> keras.Model:
    """Fit towers with AdamW, its learning rate falling to zero along a cosine, and return the mean of the best ones.

    Of more than FEW_EPOCHS the one with the lowest validation loss is kept.
    """
    keras.utils.clear_session()  # layers are numbered on from fit to fit, and their names order the sums of gradients
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    target, inputs = schema.target, train.encoded.numbers.shape[1] + train.encoded.codes.shape[1]
    plan = plan_fit(len(train.labels), inputs, options, can_teach(target, train.labels))
    later = validation.encoded.numbers if options.by_time else None
    numbers = scale_numbers(train.encoded.numbers, plan.bins, later)
    scale = scale_target(target, train.labels, train.weights)
    design = Design(schema, numbers, scale, plan.shape)
    lessons = plan_lessons(target, scale, train)
    if plan.copies:
        lessons = plan_taught_lessons(target, scale, train, numbers, plan.copies, options.seed)
    towers = build_towers(design)
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.steps)
    towers.compile(
        FusedAdamW(schedule, weight_decay=plan.weight_decay),
        build_loss(target.task, len(scale.start), plan.shape.teacher_shares),
        steps_per_execution=plan.block_steps,
    )
    with deferred_interrupts() as interrupt:
        labels = scale_labels(target, scale, validation.labels)
        best_weights = BestWeights(target, validation.encoded, labels, validation.shares, plan, interrupt)
        towers.fit(
            stream_batches(lessons, plan.batch_rows, plan.block_steps, options.seed),
            epochs=plan.epochs,
            steps_per_epoch=plan.epoch_steps,
            verbose=0,
            callbacks=[best_weights],  # a new list each time: autologging appends to it
        )
    margin = best_weights.interval_margin() if target.task == "regression" else 0.0
    return average_towers(towers, design, best_weights.shares, margin)
