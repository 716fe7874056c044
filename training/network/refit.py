"""Fits what was chosen once more, to the validation rows too.

By time these are the latest rows, the nearest to those that will be asked about; of a small table they are a fifth
more. What is chosen on them (towers, after how many steps to stop, where intervals and thresholds lie) comes of a fit
that never saw them, and is kept: this one takes as many steps, along the same learning rate.

The trees that teach are fitted once more only by time, since no other row shows what the latest ones do. Of rows cut
at random those that are there answer the validation rows: none of them was fitted to one.
"""

import keras
from tqdm import tqdm

from ekiben.training.network.architecture import Design
from ekiben.training.network.compiling import compile_towers, stream_lessons
from ekiben.training.network.interrupts import deferred_interrupts
from ekiben.training.network.lessons import LabelledRows, find_teacher
from ekiben.training.network.plan import FitOptions, Plan
from ekiben.training.network.teacher import Teacher
from ekiben.training.network.weight_mean import WeightMean


def refit(
    design: Design, plan: Plan, rows: LabelledRows, teacher: Teacher | None, options: FitOptions, steps: int
) -> keras.Model:
    """Return towers that took so many of the plan's steps with these rows; the teacher knows the first of them."""
    if teacher and not any(tower.teacher_share for tower in design.shape.towers):
        plan, teacher = plan.without_teacher(), None
    if teacher:
        teacher = teach_more(design, rows, teacher, options)
    batches = stream_lessons(design, plan, rows, teacher, options.seed)
    towers, mean = compile_towers(design, plan, options.seed), WeightMean()
    with deferred_interrupts() as interrupt, tqdm(total=steps, desc="once more", unit="batch") as bar:
        towers.make_train_function()  # not `fit`, whose steps autologging would take for those of the fit before
        drawn = iter(batches)
        for _ in range(steps // plan.block_steps):
            towers.train_function(drawn)
            mean.add(towers, plan.block_steps)
            bar.update(plan.block_steps)
            interrupt()
    mean.keep_in(towers)
    return towers


def teach_more(design: Design, rows: LabelledRows, teacher: Teacher, options: FitOptions) -> Teacher:
    """Return a teacher of all rows, of which this one knows the first."""
    if options.by_time:
        return find_teacher(design, rows, options.seed, teacher)
    return teacher.extend(rows.encoded[len(teacher.answers) :])
