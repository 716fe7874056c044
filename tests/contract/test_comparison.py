"""Comparisons of two models add up, are counted as one would by hand, and are shown without harm."""

import json
import re

import numpy as np
import pytest

from ekiben.contract.comparison.comparison import (
    Comparison,
    InvalidComparison,
    merge_comparisons,
    parse_comparison,
)
from ekiben.contract.comparison.comparison_page import render_page
from ekiben.contract.comparison.comparison_text import describe_decision, render_text
from ekiben.contract.comparison.differences import find_disagreements
from ekiben.contract.comparison.judgement import judge, summarize
from ekiben.contract.comparison.parts import MAX_SUM
from ekiben.contract.comparison.slices import MAX_FEATURES, MAX_VALUES, Slicer
from ekiben.contract.feature import Category
from ekiben.contract.page import POLICY
from ekiben.contract.reference.bins import CategoryBins
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.schema import Schema, Target
from tests.comparisons import CLASSES, compare, draw_answers, draw_codes, make_schema

COLOURS = Target(name="colour", task="multiclass", classes=("red", "green", "blue"))
PRICE = Target(name="price", task="regression", scale=2.0)
EVIL = '</style><script src="//evil">&\x1b[31m'


@pytest.mark.parametrize("target", [CLASSES, COLOURS, PRICE])
def test_rows_are_counted_as_by_hand(target: Target) -> None:
    comparison = compare("a", target=target)
    total = comparison.add_up()
    champion, challenger = (answers.astype(np.float64) for answers in draw_answers(target, 1000, 0))
    if target.task == "multiclass":
        apart = np.abs(challenger - champion).sum(axis=1) / 2
        disagree = champion.argmax(axis=1) != challenger.argmax(axis=1)
    else:
        apart = (challenger - champion)[:, 0] / target.scale
        disagree = np.abs(apart) > 0.1 if target.task == "regression" else np.diff(
            np.hstack([champion, challenger]) >= 0.5
        )[:, 0]  # fmt: skip
    edges = [-np.inf, *comparison.edges, np.inf]
    assert total.differences == tuple(np.histogram(-apart, sorted(-edge for edge in edges))[0][::-1].tolist())
    assert total.disagreed == disagree.sum()
    codes = draw_codes(1000, 0)
    for index, value in enumerate(("AA", "B6", "UA")):
        at = comparison.slices["carrier"].index(value)
        here = codes[:, 0] == index + 1
        assert (total.slices["carrier"].rows[at], total.slices["carrier"].disagreed[at]) == (
            here.sum(), (here & disagree).sum(),
        )  # fmt: skip
    for counted in total.slices.values():
        assert (sum(counted.rows), sum(counted.disagreed)) == (1000, total.disagreed)


def test_a_challenger_that_decides_elsewhere_is_asked_what_it_decides() -> None:
    champion, challenger = np.array([[0.3], [0.3], [0.6]]), np.array([[0.3], [0.1], [0.6]])
    theirs = CLASSES.model_copy(update={"threshold": 0.25})
    assert find_disagreements(CLASSES, champion, challenger).tolist() == [False, False, False]
    assert find_disagreements(CLASSES, champion, challenger, theirs).tolist() == [True, False, False]
    assert find_disagreements(theirs, champion, challenger, theirs).tolist() == [False, True, False]


def test_processes_add_up_and_a_part_that_is_there_twice_counts_once() -> None:
    early, late = compare("a", rows=400, labels=100), compare("a", labels=300)
    other = compare("b", seed=1, labels=200)
    merged = merge_comparisons({"early": early, "late": late, "other": other})
    assert merged == merge_comparisons({"late": late, "other": other, "early": early})
    total, parts = merged.add_up(), [late.parts[0], other.parts[0]]
    assert total.compared == 2000
    assert total.labels.gained == sum(part.labels.gained for part in parts)
    assert total.differences == tuple(map(sum, zip(*[part.differences for part in parts], strict=True)))
    assert total.champion.seconds == 0.02
    assert judge(merged).labels == 500


def test_comparisons_of_other_models_do_not_add_up() -> None:
    one, two = compare("a"), compare("b")
    stranger = two.model_copy(update={"challenger": two.challenger.model_copy(update={"version": "3", "digest": "c"})})
    with pytest.raises(InvalidComparison, match="x compares flights 1 with 2, y flights 1 with 3: only comparisons of"):
        merge_comparisons({"x": one, "y": stranger})


def test_it_survives_json_and_says_its_summary() -> None:
    summarized = summarize(judge(compare("a", labels=500)))
    known = json.loads(summarized.model_dump_json())
    assert known["summary"]["decision"] in ("better", "no evidence yet")
    assert known["summary"]["labels"] == 500
    parsed = parse_comparison(summarized.model_dump_json().encode(), "x")
    assert merge_comparisons({"x": parsed}) == compare("a", labels=500).model_copy(update={"parts": parsed.parts})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda known: known["parts"][0]["differences"].pop(), "counts are not those of its bins"),
        (lambda known: known["slices"]["carrier"].pop(), "counts are not those of its bins"),
        (lambda known: known["parts"].clear(), "holds no part"),
        (lambda known: known.update(kind="ekiben monitoring"), "is not a comparison of"),
        (lambda known: known["parts"][0]["labels"].update(rows=[1]), "is not a comparison of"),
        (lambda known: known["parts"][0]["labels"]["squares"].__setitem__(0, 10**400), "labels.squares.0`: "),
        (lambda known: known["parts"][0]["labels"]["squares"].__setitem__(0, -1), "labels.squares.0`: "),
        (lambda known: known["parts"][0]["labels"]["rows"].__setitem__(0, -1), "labels.rows.0`: "),
        (lambda known: known["parts"][0]["labels"]["rows"].__setitem__(0, 10**400), "labels.rows.0`: "),
        (lambda known: known["parts"][0]["labels"].update(gained=-(10**400)), "labels.gained`: "),
        (lambda known: known["parts"][0]["labels"].update(loss=-1), "labels.loss`: "),
        (lambda known: known["parts"][0]["labels"].update(received=10**400), "labels.received`: "),
        (lambda known: known["parts"][0]["differences"].__setitem__(0, -1), "differences.0`: "),
        (lambda known: known["parts"][0]["slices"]["carrier"]["rows"].__setitem__(0, -1), "slices.carrier.rows.0`: "),
        (lambda known: known["parts"][0]["dropped"].update(waiting=-1), "dropped.waiting`: "),
        (lambda known: known["parts"][0].update(since="2026-11-27T10:00:00"), "since`: .*timezone"),
        (lambda known: known["parts"][0].update(until="2026-11-27T10:00:00"), "until`: .*timezone"),
        (lambda known: known["parts"][0]["champion"].update(rows=-1), "champion.rows`: "),
        (lambda known: known["parts"][0]["champion"].update(seconds=float("inf")), "champion.seconds`: "),
        (lambda known: known["edges"].__setitem__(0, float("nan")), "edges.0`: "),
        (lambda known: known.update(edges=[]), "edges`: "),
        (lambda known: known["slices"].update({EVIL: 3}), r"evil.>&\\x1b\[31m"),
    ],
)
def test_a_damaged_one_is_named(change: object, words: str) -> None:
    known = json.loads(compare("a").model_dump_json())
    change(known)  # type: ignore[operator]
    with pytest.raises(InvalidComparison, match=f"^saved.json.*{words}") as raised:
        parse_comparison(json.dumps(known).encode(), "saved.json")
    assert str(raised.value).isprintable()


def test_counts_at_their_limits_are_shown_and_sums_beyond_them_are_named() -> None:
    comparison = compare("a", labels=100)
    part = comparison.parts[0]
    labels = part.labels
    largest = labels.model_copy(update={"squares": (MAX_SUM,) * len(labels.squares), "gained": MAX_SUM})
    huge = comparison.model_copy(update={"parts": (part.model_copy(update={"labels": largest}),)})
    assert "of 1,007 answered rows" in render_text(judge(parse_comparison(huge.model_dump_json().encode(), "x")))
    twice = huge.model_copy(update={"parts": (*huge.parts, huge.parts[0])})
    with pytest.raises(InvalidComparison, match=r"^the counts of flights 1 with 2 add up to more than any service"):
        judge(parse_comparison(twice.model_dump_json().encode(), "x"))


def test_the_decision_is_a_sentence() -> None:
    better = describe_decision(judge(compare("a", rows=9000, target=PRICE, labels=9000)))
    number = r"0\.\d+"
    assert re.fullmatch(
        rf"better: its absolute error is {number} standard deviations smaller \({number} smaller to {number} smaller, "
        r"95% at any time\), over 9,000 labels", better
    )  # fmt: skip
    assert describe_decision(judge(compare("a"))) == "no evidence yet: no label has found its pair of answers"
    few = describe_decision(judge(compare("a", labels=20)))
    assert re.match(
        r"no evidence yet: its log loss is [\d.]+ nats (smaller|larger) \([\d.]+ larger to [\d.]+ smaller, ", few
    )
    assert few.endswith("over 20 labels; from 30 on it is estimated how many more will tell")
    some = describe_decision(judge(compare("a", labels=100)))
    assert re.search(r"; about [\d,]+ more labels will tell, if they are like these$", some)
    swapped = _swap(compare("a", rows=9000, target=PRICE, labels=9000))
    assert describe_decision(judge(swapped)).startswith("worse: its absolute error is 0.")


def _swap(comparison: Comparison) -> Comparison:
    """Return it as if the challenger had lost what it gained."""
    part = comparison.parts[0]
    labels = part.labels.model_copy(update={"gained": -part.labels.gained})
    return comparison.model_copy(update={"parts": (part.model_copy(update={"labels": labels}),)})


def test_text_and_page_say_the_same_and_names_are_text_in_them() -> None:
    comparison = compare("a", labels=100)
    slices = comparison.slices | {"carrier": (EVIL, "B", "C", "D", "E")}
    judged = judge(comparison.model_copy(update={"model": EVIL, "slices": slices}))
    text, page = render_text(judged), render_page(judged)
    assert "1,000 of 1,007 answered rows compared" in text
    assert "7 rows not compared: no idle time to score them in." in page
    assert "1,000 of 1,007 answered rows compared" in page
    assert "\x1b" not in text
    assert "<script" not in page
    assert POLICY.replace("'", "&#x27;") in page


def test_a_label_that_is_sent_to_two_replicas_came_twice_and_counts_once() -> None:
    parts = []
    for comparison, received in ((compare("a", labels=100), 100), (compare("b", seed=1), 100)):
        part = comparison.parts[0]
        labels = part.labels.model_copy(update={"received": received})
        parts.append(comparison.model_copy(update={"parts": (part.model_copy(update={"labels": labels}),)}))
    said = render_text(judge(merge_comparisons(dict(zip("ab", parts, strict=True)))))
    assert "200 labels came, over all requests and replicas; 100 found a pair of answers" in said


def test_slices_are_few_and_of_the_most_frequent_values() -> None:
    names = [f"f{index}" for index in range(12)]
    values = tuple(f"v{index}" for index in range(30))
    features = tuple(Category(name=name, vocabulary=values, example="v1") for name in names)
    schema = Schema(name="wide", features=features, target=CLASSES)
    counts = (*range(30), 0, 5, 0)
    seen = Distribution(column="f11", bins=CategoryBins(values=values), counts=counts)
    reference = Reference(rows=440, columns=(), duplicates=0.0, distributions=(seen,))
    slicer = Slicer(schema, reference, ("f11", "no category"))
    assert list(slicer.names) == ["f11", *names[: MAX_FEATURES - 1]]
    assert slicer.names["f11"][:MAX_VALUES] == tuple(f"v{index}" for index in range(29, 21, -1))
    assert slicer.names["f0"][:MAX_VALUES] == values[:MAX_VALUES]
    codes = np.zeros((4, 12), np.int32)
    codes[:, 11] = [30, 1, 0, 23]
    (rows, of), *_ = slicer.count(codes, np.array([True, False, True, False]))
    assert rows.tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert of.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_a_table_without_categories_has_no_slices() -> None:
    numbers = Schema(name="numbers", features=make_schema().features[2:], target=CLASSES)
    assert Slicer(numbers, None).count(np.zeros((3, 0), np.int32), np.zeros(3, bool)) == []
