"""Explanations are the Shapley values they say, to the errors they say, and add up exactly."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.background_learning import MAX_BACKGROUND_ROWS, count_rows, learn_background
from ekiben.contract.explanation.explaining import MAX_PAIRS, ROUND_PAIRS, SETTLED, Explainer
from ekiben.contract.explanation.explanation import Explanation, to_json
from ekiben.contract.schema import Schema
from tests.conftest import ROOT
from tests.contract.explained_models import (
    EVERY_KIND,
    PRICE,
    SIZE,
    Run,
    enumerate_shapley,
    make_explainer,
    make_network,
    make_rows,
    number_schema,
)

SIZES = EVERY_KIND.model_copy(update={"target": SIZE})
PRICES = EVERY_KIND.model_copy(update={"target": PRICE})


def explain(explainer: Explainer, row: Encoded, run: Run, pairs: int = ROUND_PAIRS) -> Explanation:
    explaining = explainer.start(row)
    explaining.take(run(explaining.next_rows(pairs)))
    return explaining.explanation


def gap(explanation: Explanation) -> float:
    """Return by how much the attributions miss what they should sum to."""
    return abs(explanation.attributions.sum() - (explanation.output_value - explanation.base_value))


@pytest.mark.parametrize("schema", [EVERY_KIND, SIZES, PRICES], ids=["binary", "multiclass", "regression"])
def test_they_are_the_shapley_values_within_the_errors_they_say(schema: Schema) -> None:
    run = make_network(schema)
    explainer, rows = make_explainer(schema, run), make_rows(schema, 20, seed=3)
    deviations = []
    for index in range(len(rows)):
        row = rows[index : index + 1]
        found = explain(explainer, row, run, pairs=40)
        exact = enumerate_shapley(explainer, row, run, found.output)
        assert found.output_value - found.base_value == pytest.approx(exact.sum(), abs=1e-9)
        deviations.append((found.attributions - exact) / np.maximum(found.standard_errors, 1e-9))
    # Of 160 normal deviations: 1 on average, 1.5 is beyond 4 standard errors; so is one beyond 5.
    assert 0.3 < np.mean(np.square(deviations)) < 1.5
    assert np.abs(deviations).max() < 5


def test_of_a_linear_model_they_are_its_terms() -> None:
    schema = number_schema(6)
    weights = np.arange(-2.0, 4.0)

    def run(rows: Encoded) -> np.ndarray:
        numbers = np.nan_to_num(rows.numbers.astype(np.float64), nan=0.5)
        return np.repeat(numbers @ weights[:, np.newaxis], 3, axis=1)

    explainer, row = make_explainer(schema, run), make_rows(schema, 1, seed=4)
    found = explain(explainer, row, run)
    filled = np.nan_to_num(explainer.background.numbers.astype(np.float64), nan=0.5)
    given = np.nan_to_num(row.numbers[0].astype(np.float64), nan=0.5)
    assert found.attributions == pytest.approx(weights * (given - filled.mean(axis=0)), abs=1e-6)  # packed in float32
    assert found.standard_errors.max() < 1e-6
    assert found.attributions[2] == 0  # whose weight is 0


@pytest.mark.parametrize("schema", [EVERY_KIND, SIZES, PRICES, number_schema(1), number_schema(2), number_schema(40)])
def test_they_add_up_exactly_from_the_same_base(schema: Schema) -> None:
    run = make_network(schema)
    explainer, rows = make_explainer(schema, run), make_rows(schema, 10, seed=3)
    found = [explain(explainer, rows[index : index + 1], run) for index in range(10)]
    assert max(map(gap, found)) < 1e-12
    bases = explainer.base_values
    assert all(one.base_value == bases[one.output] for one in found)


def test_of_two_features_both_orders_are_walked_so_only_the_background_is_left_to_chance() -> None:
    schema = number_schema(2)
    run = make_network(schema)
    explainer, row = make_explainer(schema, run), make_rows(schema, 1, seed=4)
    found = explain(explainer, row, run, pairs=len(explainer.background))  # each row once
    assert found.attributions == pytest.approx(enumerate_shapley(explainer, row, run, 0), abs=1e-12)


def test_one_feature_has_all_of_it() -> None:
    schema = number_schema(1)
    run = make_network(schema)
    found = explain(make_explainer(schema, run), make_rows(schema, 1, seed=4), run)
    assert found.attributions[0] == pytest.approx(found.output_value - found.base_value, abs=1e-12)
    assert found.standard_errors[0] < 1e-12


def test_a_feature_that_changes_nothing_and_one_that_never_changes_have_none_of_it() -> None:
    schema = number_schema(5)
    network = make_network(schema)

    def run(rows: Encoded) -> np.ndarray:  # the first has no say
        return network(
            Encoded(np.concatenate([np.zeros((len(rows), 1), np.float32), rows.numbers[:, 1:]], 1), rows.codes)
        )

    offered = make_rows(schema, 200)
    offered.numbers[:, 1] = 3  # constant
    explainer, row = Explainer(schema, learn_background(schema, offered, run)), make_rows(schema, 1, seed=4)
    row.numbers[:, 1] = 3
    found = explain(explainer, row, run)
    assert found.attributions[:2].tolist() == [0, 0]
    assert found.standard_errors[:2].tolist() == [0, 0]
    assert (found.attributions[2:] != 0).all()


def test_a_background_row_and_one_without_any_value_are_rows_like_others() -> None:
    run = make_network(PRICES)
    explainer = make_explainer(PRICES, run)
    for position in (0, 31, 63):
        row = explainer.background.rows[position : position + 1]
        found = explain(explainer, row, run, pairs=40)
        deviation = np.abs(found.attributions - explainer.background.attributions[0, position])
        assert (deviation <= 6 * found.standard_errors + 1e-9).all() or position  # both are estimates
        assert gap(found) < 1e-12
    nothing = Encoded(np.full((1, len(PRICES.number_names)), np.nan, np.float32), np.zeros((1, 2), np.int32))
    found = explain(explainer, nothing, run)
    assert gap(found) < 1e-12
    assert np.isfinite(found.attributions).all()


def test_a_moment_moves_as_one() -> None:
    explainer = make_explainer(EVERY_KIND, make_network(EVERY_KIND))
    row = make_rows(EVERY_KIND, 1, seed=4)
    rows = explainer.start(row).next_rows()
    columns = [i for i, name in enumerate(EVERY_KIND.number_names) if name.startswith("departure.")]
    moved = rows.numbers[:, columns].view(np.uint32) == row.numbers[:, columns].view(np.uint32)
    assert len(columns) == 6
    assert {*map(tuple, moved.tolist())} == {(True,) * 6, (False,) * 6}


def test_probabilities_at_the_ends_are_explained_by_finite_numbers() -> None:
    schema = EVERY_KIND

    def run(rows: Encoded) -> np.ndarray:
        return (np.nan_to_num(rows.numbers[:, :1]) > 0).astype(np.float32)

    found = explain(make_explainer(schema, run), make_rows(schema, 1, seed=4), run)
    assert abs(found.output_value) == pytest.approx(15.94, abs=0.01)
    assert gap(found) < 1e-12
    assert not found.attributions[1:].any()


def test_of_many_classes_the_likeliest_is_explained() -> None:
    run = make_network(SIZES)
    row = make_rows(SIZES, 1, seed=5)
    answer = run(row)[0].astype(float)
    found = to_json(SIZES, explain(make_explainer(SIZES, run), row, run))
    assert found["class"] == SIZE.classes[int(answer.argmax())]
    assert found["output_value"] == pytest.approx(np.log(answer.max() / (1 - answer.max())))
    assert found["unit"] == "log-odds"


def test_the_same_row_has_the_same_explanation_however_its_pairs_are_asked_for() -> None:
    run = make_network(EVERY_KIND)
    explainer, row = make_explainer(EVERY_KIND, run), make_rows(EVERY_KIND, 1, seed=4)
    whole = explain(explainer, row, run, pairs=30)
    parts = explainer.start(row)
    for pairs in (1, 2, 7, 20):
        parts.take(run(parts.next_rows(pairs)))
    assert parts.explanation.attributions.tobytes() == whole.attributions.tobytes()
    assert parts.explanation.standard_errors.tobytes() == whole.standard_errors.tobytes()
    assert parts.explanation.base_value == whole.base_value
    other = explain(explainer, make_rows(EVERY_KIND, 1, seed=6), run, pairs=30)
    assert other.attributions.tobytes() != whole.attributions.tobytes()


def test_every_nan_and_zero_is_one_value() -> None:
    run = make_network(PRICES)
    explainer, row = make_explainer(PRICES, run), make_rows(PRICES, 1, seed=4)
    row.numbers[0, :2] = np.nan, 0
    other = Encoded(row.numbers.copy(), row.codes)
    other.numbers.view(np.uint32)[0, :2] = 0xFFC00001, 0x80000000
    one, two = explain(explainer, row, run), explain(explainer, other, run)
    assert one.attributions.tobytes() == two.attributions.tobytes()


PROGRAM = """
from tests.contract.explained_models import EVERY_KIND, make_explainer, make_network, make_rows
run = make_network(EVERY_KIND)
row = make_rows(EVERY_KIND, 1, seed=4)
print(make_explainer(EVERY_KIND, run).explain(row, run).explanation.attributions.tobytes().hex())
"""


@pytest.mark.slow
def test_another_process_says_the_same() -> None:
    command = [sys.executable, "-c", PROGRAM]
    other = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    run = make_network(EVERY_KIND)
    row = make_rows(EVERY_KIND, 1, seed=4)
    assert make_explainer(EVERY_KIND, run).explain(row, run).explanation.attributions.tobytes().hex() == other


def test_pairs_are_added_until_the_error_is_small_or_they_are_many() -> None:
    run = make_network(EVERY_KIND)
    explainer, rows = make_explainer(EVERY_KIND, run), make_rows(EVERY_KIND, 20, seed=3)
    explained = [explainer.explain(rows[index : index + 1], run) for index in range(20)]
    for one in explained:
        found = one.explanation
        small = found.standard_errors.max() <= SETTLED * np.abs(found.attributions).max()
        assert one.settled == small
        assert small or one.pairs == MAX_PAIRS
        assert one.pairs % ROUND_PAIRS == 0
    assert len({one.pairs for one in explained}) > 1


def test_an_answer_that_nothing_changes_is_settled_at_once() -> None:
    schema = number_schema(3)

    def run(rows: Encoded) -> np.ndarray:
        return np.full((len(rows), 3), 7, np.float32)

    explained = make_explainer(schema, run).explain(make_rows(schema, 1, seed=4), run)
    assert (explained.settled, explained.pairs) == (True, ROUND_PAIRS)
    assert not explained.explanation.attributions.any()


def test_the_rows_own_answer_does_not_keep_those_of_its_round() -> None:
    run = make_network(EVERY_KIND)
    explaining = make_explainer(EVERY_KIND, run).start(make_rows(EVERY_KIND, 1))
    explaining.take(run(explaining.next_rows(1)))
    assert explaining.answer is not None
    assert explaining.answer.base is None


def test_too_few_pairs_are_no_explanation() -> None:
    run = make_network(PRICES)
    explaining = make_explainer(PRICES, run).start(make_rows(PRICES, 1))
    explaining.take(run(explaining.next_rows(1)))
    assert not explaining.settled
    with pytest.raises(AssertionError, match="1 pairs make no explanation"):
        _ = explaining.explanation


def test_the_json_has_the_largest_first_and_the_sum_of_the_rest() -> None:
    found = Explanation(1.0, 2.5, np.array([0.5, -2.0, 3.0]), np.array([0.1, 0.2, 0.3]), 10)
    schema = number_schema(3)
    assert to_json(schema, found, top=1) == {
        "unit": "EUR",
        "base_value": 1.0,
        "output_value": 2.5,
        "attributions": [{"feature": "x2", "value": 3.0, "standard_error": 0.3}],
        "rest": -1.5,
        "pairs": 10,
    }
    whole = to_json(schema, found)
    assert [one["feature"] for one in whole["attributions"]] == ["x2", "x1", "x0"]
    assert whole["rest"] == 0
    assert to_json(EVERY_KIND, replace(found, attributions=np.zeros(8), standard_errors=np.zeros(8)))["class"] is True


def test_the_background_is_spread_as_the_answers_are() -> None:
    run = make_network(EVERY_KIND)
    offered = make_rows(EVERY_KIND, 4000)
    background = learn_background(EVERY_KIND, offered, run)
    answers = run(offered)
    assert len(background) == MAX_BACKGROUND_ROWS
    assert background.answers.mean() == pytest.approx(answers.mean(), abs=float(answers.std()) / 50)
    assert background.answers.std() == pytest.approx(answers.std(), rel=0.05)
    assert np.abs(background.attributions.sum(axis=1)).max() < 1e-12
    again = learn_background(EVERY_KIND, offered, run)
    assert again.attributions.tobytes() == background.attributions.tobytes()


@pytest.mark.parametrize("offered", [1, 2, 5])
def test_few_rows_are_a_background_too(offered: int) -> None:
    run = make_network(SIZES)
    explainer = make_explainer(SIZES, run, offered)
    assert len(explainer.background) == offered
    found = explain(explainer, make_rows(SIZES, 1, seed=9), run)
    assert gap(found) < 1e-12


def test_the_wider_rows_are_the_fewer_are_kept() -> None:
    counts = [count_rows(number_schema(features)) for features in (1, 100, 500, 2000)]
    assert counts == [64, 64, 16, 4]
    classes = tuple(range(1000))
    many = number_schema(200, SIZE.model_copy(update={"classes": classes}))
    assert count_rows(many) == 10
