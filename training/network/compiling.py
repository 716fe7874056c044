"""Towers that are ready to be fitted, and the batches they are fitted to."""

import keras
import tensorflow as tf

from ekiben.training.network.architecture import Design, build_towers
from ekiben.training.network.batches import stream_batches
from ekiben.training.network.lessons import LabelledRows, plan_lessons
from ekiben.training.network.losses import build_loss
from ekiben.training.network.optimizer import FusedAdamW
from ekiben.training.network.plan import Plan
from ekiben.training.network.teacher import Teacher


def compile_towers(design: Design, plan: Plan, seed: int) -> keras.Model:
    """Return towers with weights drawn from the seed, whose learning rate falls to zero over the plan's steps."""
    keras.utils.clear_session()  # layers are numbered on from fit to fit, and their names order the sums of gradients
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    towers = build_towers(design)
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, plan.steps)
    optimizer = FusedAdamW(schedule, weight_decay=plan.weight_decay)
    towers.compile(optimizer, build_loss(design), steps_per_execution=plan.block_steps)
    return towers


def stream_lessons(
    design: Design, plan: Plan, rows: LabelledRows, teacher: Teacher | None, seed: int
) -> tf.data.Dataset:
    """Return endless batches of what is learned of the rows."""
    lessons = plan_lessons(design, rows, teacher, plan.copies, seed)
    return stream_batches(lessons, plan.batch_rows, plan.block_steps, seed)
