"""Fits the network, the same seed always to the same weights."""

from dataclasses import dataclass, replace

import keras
import numpy as np

from ekiben.contract.schema import Schema
from ekiben.training.network.architecture import Design
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.best_weights import BestWeights
from ekiben.training.network.compiling import compile_towers, stream_lessons
from ekiben.training.network.interrupts import deferred_interrupts
from ekiben.training.network.lessons import LabelledRows, find_teacher, join, thin
from ekiben.training.network.links import LINEAR, Link
from ekiben.training.network.monotone import find_monotone
from ekiben.training.network.plan import FitOptions, Plan, plan_fit
from ekiben.training.network.refit import refit
from ekiben.training.network.scaling import scale_numbers, scale_target
from ekiben.training.network.teacher import Teacher, can_teach

__all__ = ["FitOptions", "Fitted", "LabelledRows", "fit_network"]

FOLLOWED_ROWS = 2**18  # that choose towers and epochs, of the validation rows: memory does not grow with the table


@dataclass(frozen=True)
class Fitted:
    """The network to pack, and the one with which everything is chosen on validation rows, since it never saw them.

    They are the same where the plan does not refit.
    """

    network: keras.Model
    choosing: keras.Model

    @property
    def refitted(self) -> bool:
        """Whether the network to pack has learned from the validation rows, too."""
        return self.network is not self.choosing


def fit_network(
    schema: Schema,
    train: LabelledRows,
    validation: LabelledRows,
    options: FitOptions,
    link: Link = LINEAR,
    both: LabelledRows | None = None,
) -> Fitted:
    """Fit towers with AdamW, its learning rate falling to zero along a cosine, and return the mean of the best ones.

    Of more than FEW_EPOCHS the one with the lowest validation loss is kept. A number is learned on the link's scale.
    Where the plan refits, what is packed is then fitted to `both` kinds of rows (default: these, joined).
    """
    monotone = find_monotone(schema, train.encoded.numbers)
    inputs = train.encoded.numbers.shape[1] + train.encoded.codes.shape[1]
    teachable = can_teach(schema.target, train.labels, monotone, train.groups)
    plan = plan_fit(len(train.labels), inputs, options, teachable)
    numbers = scale_numbers(train.encoded.numbers, plan.bins, validation.encoded.numbers if options.by_time else None)
    scale = scale_target(schema.target, train.labels, train.weights, link)
    design = Design(schema, numbers, scale, plan.shape, monotone)
    teacher = find_teacher(design, train, options.seed) if plan.copies else None
    towers, best = fit_towers(design, plan, train, teacher, thin(validation, FOLLOWED_ROWS), options.seed)
    moved = best.correct_interval(options.by_time) if schema.target.task == "regression" else (0.0, 0.0)
    choosing = average_towers(towers, design, best.shares, *moved)
    if not plan.refits:
        return Fitted(choosing, choosing)
    kept, both = choose_kept(design, best.shares), both or join(train, validation)
    towers = refit(kept, plan, both, teacher, options, best.steps)
    return Fitted(average_towers(towers, kept, best.shares[best.shares > 0], *moved), choosing)


def choose_kept(design: Design, shares: np.ndarray) -> Design:
    """Return the design without the towers that have no share."""
    towers = tuple(tower for tower, share in zip(design.shape.towers, shares, strict=True) if share)
    return replace(design, shape=replace(design.shape, towers=towers))


def fit_towers(
    design: Design, plan: Plan, train: LabelledRows, teacher: Teacher | None, validation: LabelledRows, seed: int
) -> tuple[keras.Model, BestWeights]:
    """Return fitted towers, and what followed the fit."""
    towers = compile_towers(design, plan, seed)
    batches = stream_lessons(design, plan, train, teacher, seed)
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
    return towers, best_weights
