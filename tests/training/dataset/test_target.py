"""The target: its classes, its labels, and which targets are rejected."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.errors import InvalidTable
from ekiben.contract.schema import Task
from ekiben.training.dataset.target import MIN_CLASS_ROWS, MIN_ROWS, check_parts, encode_labels, learn_target
from ekiben.training.problem import TargetColumn


def column(values: list[Any]) -> "pd.Series[Any]":
    return pd.Series(pd.Categorical(values, categories=pd.Index(sorted(set(values)), dtype=object)))


def declare(task: Task, **more: Any) -> TargetColumn:
    return TargetColumn(name="y", task=task, **more)


def reject(task: Task, values: Any, **more: Any) -> str:
    with pytest.raises(InvalidTable) as caught:
        learn_target(declare(task, **more), values)
    assert "`y`" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("pair", [(False, True), (0, 1), ("no", "yes"), (3, 20)])
def test_the_classes_are_learned_in_their_order(pair: tuple[Any, Any]) -> None:
    given = column([pair[1], pair[0]] * 30)
    target = learn_target(declare("binary"), given)
    assert target.classes == pair
    assert [type(label) for label in target.classes] == [type(pair[0])] * 2
    assert encode_labels(target, given).tolist() == [1.0, 0.0] * 30


def test_declared_classes_say_which_is_the_last() -> None:
    given = column(["yes", "no"] * 30)
    target = learn_target(declare("binary", classes=("yes", "no")), given)
    assert encode_labels(target, given)[:2].tolist() == [0.0, 1.0]


def test_many_classes_are_encoded_by_their_places() -> None:
    given = column([20, 3, 100] * 20)
    target = learn_target(declare("multiclass"), given)
    assert target.classes == (3, 20, 100)
    labels = encode_labels(target, given)
    assert labels[:3].tolist() == [1, 0, 2]
    assert labels.dtype == np.int32


def test_classes_in_an_order_are_encoded_by_their_places_in_it() -> None:
    given = column(["mid", "low", "high"] * 20)
    target = learn_target(declare("multiclass", ordered=("low", "mid", "high")), given)
    assert (target.classes, target.ordered) == (("low", "mid", "high"), True)
    assert encode_labels(target, given)[:3].tolist() == [1, 0, 2]
    assert not learn_target(declare("multiclass"), given).ordered


def test_an_order_that_lacks_a_class_of_the_table_is_rejected() -> None:
    message = reject("multiclass", column(["low", "mid", "high", "top"] * 15), ordered=("low", "mid", "high"))
    assert message == (
        "`y` is 'top' in 15 rows, which is none of the classes in the problem file: "
        "add it there, or leave `ordered` out"
    )


def test_an_order_with_a_class_that_no_row_has_is_rejected() -> None:
    message = reject("multiclass", column(["low", "mid", "high"] * 20), ordered=("low", "mid", "high", "top"))
    assert message == "`ordered` names 'top', which `y` is in no row: leave it out, or add rows of it"


def test_an_order_of_two_classes_is_another_task() -> None:
    assert "its task is binary" in reject("multiclass", column(["a", "b"] * 30), ordered=("a", "b"))


def test_a_regression_keeps_its_unit_and_knows_its_scale() -> None:
    values = pd.Series(np.arange(100.0) * 1e6)
    target = learn_target(declare("regression", unit="€"), values)
    assert (target.classes, target.unit) == ((), "€")
    assert target.scale == pytest.approx(values.std(ddof=0))
    assert encode_labels(target, values).tolist() == values.tolist()


@pytest.mark.parametrize("rows", [1, MIN_ROWS - 1])
def test_too_few_rows_are_counted(rows: int) -> None:
    assert f"the table has {rows} row" in reject("regression", pd.Series(np.arange(rows, dtype=float)))


@pytest.mark.parametrize(("task", "values"), [("binary", column(["a"] * 60)), ("regression", pd.Series([2.5] * 60))])
def test_a_constant_target_is_rejected(task: Task, values: Any) -> None:
    assert "there is nothing to predict" in reject(task, values)


def test_a_rare_class_is_named() -> None:
    message = reject("multiclass", column(["a", "b"] * 30 + ["rare"] * (MIN_CLASS_ROWS - 1)))
    assert "'rare' in only 4 rows" in message
    assert "pool" in message


def test_a_declared_class_that_has_no_row_is_named() -> None:
    assert "'c' in only 0 rows" in reject("multiclass", column(["a", "b"] * 30), classes=("a", "b", "c"))


def test_a_label_that_is_none_of_the_declared_classes_is_named() -> None:
    message = reject("multiclass", column(["a", "b", "d"] * 30), classes=("a", "b", "c"))
    assert "'d' in 30 rows, which is none of the classes" in message


@pytest.mark.parametrize(("task", "other"), [("binary", "multiclass"), ("multiclass", "binary")])
def test_the_wrong_task_is_named_with_the_right_one(task: Task, other: str) -> None:
    labels = ["a", "b"] if task == "multiclass" else ["a", "b", "c"]
    assert f"its task is {other}" in reject(task, column(labels * 30))


def test_too_many_classes_are_named() -> None:
    assert reject("multiclass", column(np.arange(100_000).astype(str))) == (
        "`y` has 100,000 classes, more than 1,000: pool the rare ones"
    )


def test_a_part_of_one_class_is_named() -> None:
    check_parts(learn_target(declare("binary"), column([0, 1] * 30)), {"test": np.array([0, 1])})
    with pytest.raises(InvalidTable, match="`y` is the same in all 3 test rows"):
        check_parts(learn_target(declare("binary"), column([0, 1] * 30)), {"test": np.array([1, 1, 1])})
    for task, labels in (("multiclass", list("abc")), ("regression", [0.5, 1.5])):
        target = learn_target(declare(task), column(labels * 30))
        with pytest.raises(InvalidTable, match="the same in all 2 validation rows: use more rows, or another split"):
            check_parts(target, {"validation": np.array([1, 1])})
