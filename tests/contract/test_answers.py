"""What the network's outputs say, as JSON and as columns of a table."""

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from ekiben.contract.answers import decide, label_rows, to_columns, to_predictions
from ekiben.contract.feature import Number
from ekiben.contract.openapi_types import predictions_type
from ekiben.contract.schema import Label, Schema, Target

PRICE = Target(name="price", task="regression", unit="€")
SPECIES = Target(name="species", task="multiclass", classes=("cat", "dog", "گربه"))
SCORES = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]], np.float32)


def binary(*classes: Label) -> Target:
    return Target(name="y", classes=classes)


def answer_type(target: Target) -> type[BaseModel]:
    return predictions_type(Schema(name="s", features=(Number(name="x", low=0, high=1),), target=target))


@pytest.mark.parametrize("classes", [(False, True), (0, 1), (1, 2), ("no", "yes"), ("خیر", "بله"), (10, 2)])
def test_labels_come_back_as_they_were_given(classes: tuple[Label, Label]) -> None:
    answers = np.array([[0.4999], [0.5], [0.9]], np.float32)
    given = [prediction["label"] for prediction in to_predictions(binary(*classes), answers)]
    assert given == [classes[0], classes[1], classes[1]]
    assert [type(label) for label in given] == [type(classes[0])] * 3


def test_a_threshold_decides_the_same_way_in_rows_columns_and_arrays() -> None:
    target = Target(name="y", classes=("no", "yes"), threshold=0.7)
    answers = np.array([[0.2], [0.7], [0.70001], [1.0]], np.float32)
    assert float(answers[1, 0]) < 0.7  # as float32 has it: what is compared is what JSON shows
    given = [prediction["label"] for prediction in to_predictions(target, answers)]
    assert given == ["no", "no", "yes", "yes"] == label_rows(target, answers) == to_columns(target, answers)["label"]
    assert [target.classes[index] for index in decide(target, answers)] == given


@pytest.mark.parametrize("threshold", [-0.1, 1.01, float("nan")])
def test_a_threshold_is_a_probability(threshold: float) -> None:
    with pytest.raises(ValidationError):
        Target(name="y", classes=(0, 1), threshold=threshold)


def test_only_two_classes_have_a_threshold() -> None:
    for task, classes in (("regression", ()), ("multiclass", (1, 2, 3))):
        with pytest.raises(ValidationError, match="only of two classes"):
            Target.model_validate({"name": "y", "task": task, "classes": classes, "threshold": 0.3})


def test_a_usual_threshold_is_not_written_down() -> None:
    schema = Schema(name="s", features=(Number(name="x", low=0, high=1),), target=binary(0, 1))
    decided = Schema(name="s", features=schema.features, target=Target(name="y", classes=(0, 1), threshold=0.25))
    assert "threshold" not in schema.model_dump_json()
    assert schema.digest == "c6cd116dff30d400aab5d8b2bdda4b0fbe628dc68fd14ce5801e7aab55982622"  # as it always was
    assert decided.digest != schema.digest
    assert Schema.model_validate_json(decided.model_dump_json()) == decided
    assert Schema.model_validate_json(schema.model_dump_json()).target.threshold == 0.5


def test_a_probability_is_the_float_the_network_gave() -> None:
    (prediction,) = to_predictions(binary(0, 1), np.array([[0.1]], np.float32))
    assert prediction == {"probability": float(np.float32(0.1)), "label": 0}


def test_of_many_classes_the_likeliest_is_the_label() -> None:
    first, second = to_predictions(SPECIES, SCORES)
    assert (first["label"], first["probability"]) == ("dog", 0.5)
    assert second["label"] == "گربه"
    assert list(second["probabilities"]) == ["cat", "dog", "گربه"]
    assert second["probabilities"]["گربه"] == second["probability"] == float(np.float32(0.8))


def test_classes_that_are_numbers_are_named_by_their_digits() -> None:
    target = Target(name="digit", task="multiclass", classes=(0, 1, 2))
    assert to_predictions(target, SCORES)[0] == {
        "label": 1,
        "probability": 0.5,
        "probabilities": {"0": float(np.float32(0.2)), "1": 0.5, "2": float(np.float32(0.3))},
    }


def test_a_regression_answers_with_an_interval() -> None:
    assert to_predictions(PRICE, np.array([[2.0, 1.5, 4.0]], np.float32)) == [{"value": 2.0, "low": 1.5, "high": 4.0}]


@pytest.mark.parametrize(
    ("target", "answers"),
    [(binary("a", "b"), SCORES[:, :1]), (SPECIES, SCORES), (PRICE, SCORES)],
    ids=["binary", "multiclass", "regression"],
)
def test_columns_hold_what_json_holds(target: Target, answers: np.ndarray) -> None:
    columns = to_columns(target, answers)
    for row, prediction in enumerate(to_predictions(target, answers)):
        flat = {name: value for name, value in prediction.items() if name != "probabilities"}
        flat |= {f"probabilities.{name}": value for name, value in prediction.get("probabilities", {}).items()}
        assert {name: column[row] for name, column in columns.items()} == flat


@pytest.mark.parametrize(
    ("target", "answers"),
    [(binary("a", "b"), SCORES[:, :1]), (binary(False, True), SCORES[:, :1]), (SPECIES, SCORES), (PRICE, SCORES)],
    ids=["strings", "booleans", "multiclass", "regression"],
)
def test_the_answer_type_is_what_is_answered(target: Target, answers: np.ndarray) -> None:
    answer = {"predictions": to_predictions(target, answers), "model": "m", "version": "1", "warnings": []}
    assert answer_type(target).model_validate(answer, strict=True).model_dump() == answer


def test_the_answer_type_rejects_a_label_that_is_no_class() -> None:
    answer = {"predictions": [{"probability": 0.5, "label": "c"}], "model": "m", "version": "1", "warnings": []}
    with pytest.raises(ValidationError):
        answer_type(binary("a", "b")).model_validate(answer)


@pytest.mark.parametrize(
    ("task", "classes"),
    [("binary", ()), ("binary", (1,)), ("binary", (1, 2, 3)), ("multiclass", (1, 2)), ("regression", (1, 2))],
)
def test_classes_go_with_the_task(task: str, classes: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="are no " + task):
        Target.model_validate({"name": "y", "task": task, "classes": classes})


def test_no_class_is_named_twice() -> None:
    with pytest.raises(ValidationError):
        Target(name="y", task="multiclass", classes=("a", "b", "b", "c"))


def test_true_and_one_are_different_labels() -> None:
    target = Target.model_validate_json(Target(name="y", classes=(True, 1)).model_dump_json())
    assert [type(label) for label in target.classes] == [bool, int]
    assert label_rows(target, np.array([[0.0], [1.0]], np.float32)) == [True, 1]
