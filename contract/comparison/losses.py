"""What a label says of two answers to the same row: by how much the challenger's loss is smaller.

How far two losses can differ is known before the label is. Of classes the log loss differs by the logarithm of the
ratio of two probabilities: at most by the largest of them over all classes. Of numbers the absolute error differs by no
more than the answers do, whatever comes true (the triangle inequality). So each row has a bound of its own, and where
the models agree it is a small one.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import SMALLEST_PROBABILITY, Answers, score_classes
from ekiben.contract.schema import Target

STEPS = 2**20  # in one nat, or one of the target's scale: differences are whole numbers of steps, so sums are exact
MAX_BOUND = 16.0  # of log losses it is 15.94; the difference of two numbers' errors is cut there, in the target's scale
MAX_LOSS = 2.0**20  # that is shown: a label may be beyond any answer
Steps = NDArray[np.int64]


class Losses(NamedTuple):
    """The losses of rows with labels, (rows,) each, in steps."""

    champion: Steps
    gained: Steps  # the champion's loss less the challenger's: above 0 the challenger is better
    bound: Steps  # that `gained` can't exceed, known without the label


def compare_losses(target: Target, champion: Answers, challenger: Answers, labels: NDArray[np.float64]) -> Losses:
    """Return the losses of two answers to the same rows, (rows, outputs) each.

    `labels`, (rows,), are the positions of the classes, or numbers. The loss is the log loss with probabilities cut as
    evaluation cuts them, in nats, or the absolute error in units of the target's scale.
    """
    if target.task == "regression":
        return _compare_numbers(target.scale, champion, challenger, labels)
    return _compare_classes(target, champion, challenger, labels.astype(np.intp))


def _compare_classes(target: Target, champion: Answers, challenger: Answers, labels: NDArray[np.intp]) -> Losses:
    ours, theirs = (_to_losses(target, answers) for answers in (champion, challenger))
    rows = np.arange(len(labels))
    gained = ours - theirs
    return Losses(ours[rows, labels], gained[rows, labels], np.abs(gained).max(axis=1))


def _to_losses(target: Target, answers: Answers) -> Steps:
    """Return the log loss that each class would have, (rows, classes)."""
    likely = score_classes(target, answers.astype(np.float64))
    return _to_steps(-np.log(np.clip(likely, SMALLEST_PROBABILITY, 1)))


def _compare_numbers(
    scale: float, champion: Answers, challenger: Answers, labels: NDArray[np.float64]
) -> Losses:  # fmt: skip
    ours, theirs = (answers[:, 0].astype(np.float64) / scale for answers in (champion, challenger))
    wanted = labels / scale
    limit = round(MAX_BOUND * STEPS)
    bound = np.minimum(_to_steps(np.abs(ours - theirs)) + 1, limit)  # one step for the rounding of both errors
    error, other = np.abs(ours - wanted), np.abs(theirs - wanted)
    return Losses(_to_steps(error), np.clip(_to_steps(error - other), -bound, bound), bound)


def _to_steps(losses: NDArray[np.float64]) -> Steps:
    steps: Steps = np.rint(np.clip(losses, -MAX_LOSS, MAX_LOSS) * STEPS).astype(np.int64)
    return steps
