"""Learns from which probability on a row is decided for the class, and lets a schema decide so."""

from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from ekiben.contract.answers import name_classes
from ekiben.contract.schema import DECISION_THRESHOLD, Schema, Target
from ekiben.training.decision_config import DecisionRule
from ekiben.training.evaluate.text import format_number
from ekiben.training.evaluate.thresholds import Curve, trace
from ekiben.training.evaluate.weights import Weights
from ekiben.training.preparation import Prepared
from ekiben.training.wording import count

METRICS = {"f1": "F1", "balanced_accuracy": "the balanced accuracy"}


class Decision(BaseModel):
    """A threshold, what errors cost if that is known, and for people why it is this one."""

    model_config = ConfigDict(frozen=True)

    threshold: float
    costs: tuple[float, float] | None = None
    sentence: str


def adopt(prepared: Prepared, decision: Decision | None) -> Prepared:
    """Return the table with a schema that decides so."""
    if decision is None:
        return prepared
    schema = prepared.schema
    changed = {"threshold": decision.threshold, "costs": decision.costs}
    target = schema.target.model_copy(update=changed)
    # Another schema: a copy would have the digest of this one.
    decided = Schema(name=schema.name, features=schema.features, target=target)
    return replace(prepared, schema=decided, decision=decision.sentence)


def learn_decision(
    rule: DecisionRule, target: Target, labels: np.ndarray, answers: np.ndarray, weights: Weights = None
) -> Decision:
    """Return the threshold that does best on labels, (rows,) of 0 and 1 and of both, and probabilities, (rows, 1).

    `weights`, (rows,), are for how many rows each stands.
    """
    curve = trace(labels, answers[:, 0], weights)
    index = int(_value(rule, curve).argmax())
    threshold = curve.name_threshold(index)
    usual = int(np.searchsorted(curve.probabilities, DECISION_THRESHOLD))
    why = _explain(rule, curve, index, usual, count(len(labels), "validation row"))
    named = f"“{target.name}” is {name_classes(target)[1]} from a probability of {threshold:g} on"
    return Decision(threshold=threshold, costs=rule.costs, sentence=f"{named}: {why}")


def _value(rule: DecisionRule, curve: Curve) -> np.ndarray:
    """Return how well each threshold does what is asked for, (thresholds,)."""
    if rule.metric is not None:
        return curve.f1 if rule.metric == "f1" else curve.balanced_accuracy
    if rule.costs is not None:
        return -curve.cost(rule.costs)
    return -np.abs(curve.selection_rate - rule.flag)


def _explain(rule: DecisionRule, curve: Curve, index: int, usual: int, rows: str) -> str:
    """Return why it is this threshold, and what the usual one would have done."""
    if rule.flag is not None:
        selected = curve.selection_rate
        return (
            f"this selects {selected[index]:.1%} of {rows}, where {rule.flag:.1%} are wanted "
            f"({selected[usual]:.1%} at {DECISION_THRESHOLD})"
        )
    value = np.abs(_value(rule, curve))
    done = f"{format_number(value[index])} on {rows} ({format_number(value[usual])} at {DECISION_THRESHOLD})"
    if rule.metric is not None:
        return f"this makes {METRICS[rule.metric]} largest, {done}"
    return f"where a false alarm costs {rule.false_alarm:g} and a miss {rule.miss:g} this costs least a row, {done}"
