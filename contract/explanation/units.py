"""What is explained: of classes the log-odds of one, of a number its value in the target's units."""

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import SMALLEST_PROBABILITY, Answers
from ekiben.contract.schema import Label, Target

LOG_ODDS = "log-odds"


def name_unit(target: Target) -> str:
    """Return the unit of every number in an explanation; "" if the target's unit is not known."""
    return target.unit if target.task == "regression" else LOG_ODDS


def choose_output(target: Target, answer: Answers) -> int:
    """Return which column of one row's answer, (1, outputs), is explained: of many classes that of the likeliest."""
    return int(answer[0].argmax()) if target.task == "multiclass" else 0


def name_class(target: Target, output: int) -> Label | None:
    """Return the class whose log-odds are explained, or None of a number."""
    if target.task == "regression":
        return None
    return target.classes[output] if target.task == "multiclass" else target.classes[-1]


def to_units(target: Target, answers: Answers, output: int) -> NDArray[np.float64]:
    """Return one column of answers, (rows, outputs), in the unit of explanations, (rows,).

    Probabilities are explained as they are answered: nothing is calibrated in between. Effects add up on the log-odds,
    where the network adds them up; on probabilities the same step counts less the nearer 0 or 1 it is made. But a
    probability is a float32, which beside 1 knows no steps below 6e-8: from 1 - 1e-6 on, log-odds are good to 6%, and
    log-odds beyond ±15.9 (SMALLEST_PROBABILITY) are cut off there, at both ends, so that no answer is infinite. What
    changes only such an answer has no effect.
    """
    column = answers[:, output].astype(np.float64)
    if target.task == "regression":
        return column
    likely = np.clip(column, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    odds: NDArray[np.float64] = np.log(likely) - np.log1p(-likely)
    return odds
