"""Fits the network, the same seed always to the same weights."""

import keras
import tensorflow as tf

from ekiben.contract.schema import Schema
from ekiben.training.network.architecture import Design, build_towers
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.batches import stream_batches
from ekiben.training.network.best_weights import BestWeights
from ekiben.training.network.interrupts import deferred_interrupts
from ekiben.training.network.lessons import LabelledRows, plan_lessons, thin
from ekiben.training.network.links import LINEAR, Link
from ekiben.training.network.losses import build_loss
from ekiben.training.network.monotone import find_monotone
from ekiben.training.network.optimizer import FusedAdamW
from ekiben.training.network.plan import FitOptions, Plan, plan_fit
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.network.teacher import can_teach

__all__ = ["FitOptions", "LabelledRows", "fit_network"]

FOLLOWED_ROWS = 2**18  # that choose towers and epochs, of the validation rows: memory does not grow with the table


def fit_network(
    schema: Schema, train: LabelledRows, validation: LabelledRows, options: FitOptions, link: Link = LINEAR
) -> keras.Model:
    """Fit towers with AdamW, its learning rate falling to zero along a cosine, and return the mean of the best ones.

    Of more than FEW_EPOCHS the one with the lowest validation loss is kept. A number is learned on the link's scale.
    """
    keras.utils.clear_session()  # layers are numbered on from fit to fit, and their names order the sums of gradients
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    monotone = find_monotone(schema, train.encoded.numbers)
    inputs = train.encoded.numbers.shape[1] + train.encoded.codes.shape[1]
    teachable = can_teach(schema.target, train.labels, monotone, train.groups)
    plan = plan_fit(len(train.labels), inputs, options, teachable)
    numbers = scale_numbers(train.encoded.numbers, plan.bins, validation.encoded.numbers if options.by_time else None)
    scale = scale_target(schema.target, train.labels, train.weights, link)
    design = Design(schema, numbers, scale, plan.shape, monotone)
    batches = stream_batches(
        plan_lessons(design, train, plan.copies, options.seed), plan.batch_rows, plan.block_steps, options.seed
    )
    towers = build_towers(design)
    best_weights = fit_towers(towers, design, plan, batches, thin(validation, FOLLOWED_ROWS))
    moved = best_weights.correct_interval(options.by_time) if schema.target.task == "regression" else (0.0, 0.0)
    return average_towers(towers, design, best_weights.shares, *moved)


def fit_towers(
    towers: keras.Model, design: Design, plan: Plan, batches: tf.data.Dataset, validation: LabelledRows
) -> BestWeights:
    """Fit towers in place, and return what followed the fit."""
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.steps)
    optimizer = FusedAdamW(schedule, weight_decay=plan.weight_decay)
    towers.compile(optimizer, build_loss(design), steps_per_execution=plan.block_steps)
    with deferred_interrupts() as interrupt:
        best_weights = BestWeights(design, plan, validation, interrupt)
        towers.fit(
            batches,
            epochs=plan.epochs,
            steps_per_epoch=plan.epoch_steps,
            shuffle=False,  # they are
            verbose=0,
            callbacks=[best_weights],  # a new list each time: autologging appends to it
        )
    return best_weights
