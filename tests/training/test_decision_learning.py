"""The threshold that is learned is the best there is, for whatever it is asked to be good for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from ekiben.contract.answers import decide
from ekiben.contract.feature import Number
from ekiben.contract.schema import Schema, Target
from ekiben.training.dataset.split import Parts
from ekiben.training.decision_config import DecisionRule
from ekiben.training.decision_learning import Decision, adopt, learn_decision
from ekiben.training.evaluate import score
from ekiben.training.evaluate.thresholds import trace
from ekiben.training.preparation import Prepared

TARGET = Target(name="late", classes=(False, True))
ROWS = 3000
random = np.random.default_rng(7)
ANSWERS = random.beta(0.7, 3.0, ROWS)[:, None].astype(np.float32)
LABELS = (random.uniform(size=ROWS) < ANSWERS[:, 0] * 0.8).astype(np.float32)


def learn(labels: np.ndarray = LABELS, answers: np.ndarray = ANSWERS, **said: Any) -> Decision:
    return learn_decision(DecisionRule(**said), TARGET, labels, answers)


def at(threshold: float, answers: np.ndarray = ANSWERS) -> np.ndarray:
    return decide(TARGET.model_copy(update={"threshold": threshold}), answers)


def charge(decided: np.ndarray) -> float:
    return float(np.mean(2 * (decided > LABELS) + 7 * (decided < LABELS)))


GOALS = {
    "f1": ({"metric": "f1"}, lambda decided: f1_score(LABELS, decided, zero_division=0)),
    "balanced accuracy": ({"metric": "balanced_accuracy"}, lambda decided: balanced_accuracy_score(LABELS, decided)),
    "costs": ({"false_alarm": 2, "miss": 7}, lambda decided: -charge(decided)),
    "flag": ({"flag": 0.137}, lambda decided: -abs(decided.mean() - 0.137)),
}


@pytest.mark.parametrize("goal", GOALS)
def test_no_threshold_does_better(goal: str) -> None:
    said, value = GOALS[goal]
    learned = learn(**said).threshold
    best = max(value(at(float(threshold))) for threshold in [*ANSWERS[::7, 0], 0.0, 1.0])
    assert value(at(learned)) >= best - 1e-9
    assert value(at(learned)) > value(at(0.5))


def test_costs_that_are_alike_ask_for_about_one_half_of_calibrated_answers() -> None:
    labels = (random.uniform(size=100_000) < 0.5).astype(np.float32)
    answers = np.clip(random.normal(0.4 + 0.2 * labels, 0.2), 0, 1)[:, None].astype(np.float32)
    assert learn(labels, answers, false_alarm=3, miss=3).threshold == pytest.approx(0.5, abs=0.03)


def test_a_threshold_has_few_digits_and_lies_between_rows() -> None:
    answers = np.array([[0.1], [0.2], [0.6], [0.9]], np.float32)
    learned = learn(np.array([0, 0, 1, 1], np.float32), answers, metric="f1").threshold
    assert learned == 0.4
    near = np.array([[0.3], [0.30000001192092896 + 3e-8], [0.9], [0.9]], np.float32)
    close = learn(np.array([0, 1, 1, 1], np.float32), near, metric="f1").threshold
    assert at(close, near).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize(("top", "selected"), [(0.9, 0), (1.0, 1)])
def test_where_false_alarms_are_dear_nothing_is_selected_but_what_is_certain(top: float, selected: int) -> None:
    answers = np.array([[0.1], [0.2], [0.3], [top]], np.float32)
    learned = learn(np.array([0, 1, 0, 0], np.float32), answers, false_alarm=1000, miss=1).threshold
    assert 0.3 < learned <= 1
    assert at(learned, answers).sum() == selected


def test_where_a_miss_is_dear_all_are_selected() -> None:
    assert learn(false_alarm=1e-9, miss=1e9).threshold < ANSWERS[LABELS == 1].min() + 1e-6


def test_equal_answers_stay_together() -> None:
    answers = np.full((100, 1), 0.25, np.float32)
    labels = (np.arange(100) < 30).astype(np.float32)
    assert at(learn(labels, answers, flag=0.1).threshold, answers).mean() in (0.0, 1.0)
    assert at(learn(labels, answers, metric="f1").threshold, answers).all()


def test_the_sentence_says_what_was_reached_and_what_would_have_been() -> None:
    decision = learn(metric="f1")
    reached, usual = (f1_score(LABELS, at(threshold)) for threshold in (decision.threshold, 0.5))
    said = f"this makes F1 largest, {reached:.4f} on 3,000 validation rows ({usual:.4f} at 0.5)"
    assert decision.sentence == f"“late” is true from a probability of {decision.threshold:g} on: {said}"
    assert "where a false alarm costs 2 and a miss 7 this costs least a row, " in learn(false_alarm=2, miss=7).sentence
    assert ", where 13.7% are wanted (" in learn(flag=0.137).sentence


def test_the_curve_is_what_the_scores_say() -> None:
    curve, costs = trace(LABELS, ANSWERS[:, 0]), (2.0, 7.0)
    for index in range(0, len(curve.probabilities) - 1, 500):
        target = TARGET.model_copy(update={"threshold": float(curve.probabilities[index]), "costs": costs})
        scores = score(target, LABELS, ANSWERS)
        drawn = {name: getattr(curve, name)[index] for name in ("precision", "recall", "f1", "selection_rate")}
        drawn |= {"balanced_accuracy": curve.balanced_accuracy[index], "cost": curve.cost(costs)[index]}
        assert drawn == pytest.approx({name: scores[name] for name in drawn})


def test_the_schema_that_decides_has_another_digest() -> None:
    schema = Schema(name="s", features=(Number(name="x", low=0, high=1),), target=TARGET)
    before = schema.digest
    empty = pd.DataFrame()
    prepared = Prepared(None, schema, Parts(empty, empty, empty), (LABELS, LABELS, LABELS))  # type: ignore[arg-type]
    decision = Decision(threshold=0.25, costs=(1.0, 3.0), sentence="why")
    decided = adopt(prepared, decision)
    assert (decided.schema.target.threshold, decided.schema.target.costs, decided.decision) == (0.25, (1, 3), "why")
    assert decided.schema.digest != before == schema.digest
    assert Schema.model_validate_json(decided.schema.model_dump_json()) == decided.schema
    assert adopt(prepared, None) is prepared


LIGHTLY_SUSPECTED = np.where((LABELS == 1) & (ANSWERS[:, 0] < 0.1), 30.0, 1.0)


@pytest.mark.parametrize("goal", GOALS)
def test_a_row_of_weight_2_counts_as_two(goal: str) -> None:
    weights = random.integers(1, 4, ROWS)
    twice = np.repeat(np.arange(ROWS), weights)
    rule = DecisionRule(**GOALS[goal][0])
    weighted = learn_decision(rule, TARGET, LABELS, ANSWERS, weights.astype(np.float64))
    assert weighted.threshold == learn(LABELS[twice], ANSWERS[twice], **GOALS[goal][0]).threshold
    heavy = learn_decision(rule, TARGET, LABELS, ANSWERS, LIGHTLY_SUSPECTED)
    assert heavy.threshold != learn(**GOALS[goal][0]).threshold
