"""What each gate says: one sentence, and whether the run goes on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.comparison.comparison import Comparison
from ekiben.contract.comparison.judgement import Judgement, judge
from ekiben.contract.errors import UserError
from ekiben.contract.feature import Category, Number
from ekiben.contract.schema import Schema, Target
from ekiben.pipeline.gates.behaviour import judge_behaviour
from ekiben.pipeline.gates.bootstrap import MAX_GROUPS, estimate_increase
from ekiben.pipeline.gates.champion import judge_champion
from ekiben.pipeline.gates.compatibility import judge_compatibility
from ekiben.pipeline.gates.shadow import Pair, judge_shadow
from ekiben.pipeline.gates.skew import judge_schema_skew
from ekiben.pipeline.gates.volume import judge_freshness, judge_volume
from ekiben.pipeline.records.record import Verdict
from ekiben.training.checks.gate import Contract
from ekiben.training.checks.report import Report
from ekiben.training.checks.skew import Skew, to_skew
from ekiben.training.pipeline_config import Behaviour
from ekiben.training.problem import ProblemConfig
from ekiben.training.report.counting import Counting
from ekiben.training.tables.conversion import ParseFailure
from ekiben.training.tables.read import Table
from tests.comparisons import compare

PRICE = Target(name="price", task="regression", scale=2.0)
LATE = Target(name="late", task="binary", classes=(False, True))
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def configure(**pipeline: Any) -> ProblemConfig:
    return ProblemConfig.model_validate(
        {
            "name": "shop", "source": {"path": "shop.csv"}, "target": {"name": "late", "task": "binary"},
            "split": {"time": "day"}, "features": {"size": {"kind": "number"}}, "pipeline": pipeline,
        }
    )  # fmt: skip


def make_table(rows: int, late: int, newest: datetime = NOON) -> Table:
    days = pd.to_datetime([newest.replace(tzinfo=None) - timedelta(hours=index) for index in range(rows)])
    classes = pd.Index([False, True], dtype=object)  # as the reader of labels has them
    labels = pd.Categorical.from_codes([int(index < late) for index in range(rows)], classes)
    frame = pd.DataFrame({"size": np.arange(rows, dtype=np.float32), "day": days, "late": labels})
    return Table(frame, tuple(frame), (), (), "shop.csv", ())


def decide(verdicts: Sequence[Verdict]) -> list[str]:
    return [verdict.verdict for verdict in verdicts]


@pytest.mark.parametrize(
    ("wanted", "verdict", "said"),
    [
        ({}, "go", "100 rows with a label"),
        ({"min_rows": 100, "min_class_rows": 7}, "go", "100 rows with a label"),
        ({"min_rows": 101}, "stop", "100 rows with a label, fewer than min_rows = 101: wait for more"),
        ({"min_class_rows": 8}, "stop", "7 rows with `late` true, fewer than min_class_rows = 8: wait for more"),
    ],
)
def test_volume(wanted: dict[str, int], verdict: str, said: str) -> None:
    found = judge_volume(configure(**wanted), make_table(100, 7))
    assert (found.verdict, found.sentence) == (verdict, said)


@pytest.mark.parametrize(
    ("failures", "mend"),
    [
        ((), "; if the change is meant, `ekiben train --accept-schema-change`"),
        (
            (ParseFailure("stands_for", 1, 18, "heavy", "a number", 100),),
            "; fix the table, or change the problem file, too, and `ekiben train --accept-schema-change`",
        ),
    ],
)
def test_what_nothing_can_read_is_not_accepted_on_purpose(failures: tuple[ParseFailure, ...], mend: str) -> None:
    table = replace(make_table(100, 7), parse_failures=failures)
    skews = (*map(to_skew, failures), Skew("size", "extra", "is another"))
    found = judge_schema_skew(
        Contract("3", make_schema(), None), table, Report(100, "version 3", "late", skews, (), ())
    )
    assert found.verdict == "stop"
    assert found.sentence.startswith(f"shop.csv contradicts the schema of version 3: {skews[0]}")
    assert found.sentence.endswith(mend)


@pytest.mark.parametrize(
    ("newest", "verdict", "said"),
    [
        (NOON - timedelta(days=1), "go", "the newest row with a label is of 2026-11-26 12:00"),
        (NOON - timedelta(days=8), "stop", "longer ago than max_age = 7d: look why no newer ones come"),
        (NOON + timedelta(days=3), "stop", "and that is to come: look at the clock of its source"),
    ],
)
def test_freshness(newest: datetime, verdict: str, said: str) -> None:
    found = judge_freshness(configure(max_age="7d"), make_table(100, 7, newest), NOON)
    assert found.verdict == verdict
    assert said in found.sentence
    assert judge_freshness(configure(), make_table(100, 7, newest), NOON).verdict == "go"


def test_the_interval_holds_the_true_increase() -> None:
    held = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        champion = random.gamma(2, 1, 400)
        ours = champion * 1.1 + random.normal(0, 0.5, 400)
        found = estimate_increase(ours, champion, 0.05, seed)
        held += found.low <= 0.1 <= found.high
    assert held >= 34  # of 40 about 38


def test_many_rows_are_drawn_in_groups_and_vary_alike() -> None:
    random = np.random.default_rng(0)
    champion = random.gamma(2, 1, 4 * MAX_GROUPS)
    ours = champion + random.normal(0, 1, len(champion))
    found = estimate_increase(ours, champion, 0.05, 0)
    error = float(np.std(ours - champion) / np.sqrt(len(champion)) / champion.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert estimate_increase(ours, champion, 0.05, 0) == found


def draw_customers(seed: int, rows: int = 50) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Losses of both networks, the first's a tenth larger but for what the rows of a customer share, and customers."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(40), rows)
    champion = random.gamma(2, 1, len(groups))
    return champion * 1.1 + random.normal(0, 0.5, 40)[groups], champion, groups


def test_the_interval_holds_the_true_increase_where_rows_belong_together() -> None:
    held, held_by_row = 0, 0
    for seed in range(40):
        ours, champion, groups = draw_customers(seed)
        found = estimate_increase(ours, champion, 0.05, seed, Counting(groups=groups))
        held += found.low <= 0.1 <= found.high
        by_row = estimate_increase(ours, champion, 0.05, seed)
        held_by_row += by_row.low <= 0.1 <= by_row.high
        assert by_row.mean == found.mean
    assert held >= 34  # of 40 about 37
    assert held_by_row < 20, "rows of one customer have nothing in common: the test tests nothing"


def test_many_customers_are_drawn_in_sums_of_some() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(2 * MAX_GROUPS), 3)
    champion = random.gamma(2, 1, len(groups))
    ours = champion + random.normal(0, 1, 2 * MAX_GROUPS)[groups]
    found = estimate_increase(ours, champion, 0.05, 0, Counting(groups=groups))
    error = float(np.std(ours - champion) / np.sqrt(2 * MAX_GROUPS) / champion.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)


def compare_by_customer(counting: Counting, noise: float, rows: int = 2000) -> list[Verdict]:
    """Compare networks of which ours is worse in red by what 40 customers there share."""
    random = np.random.default_rng(1)
    customer = np.arange(rows) % 80
    labels, red = np.zeros(rows), customer < 40
    theirs = random.normal(0, 1, rows)
    unlucky = np.where(random.random(80) < 0.1, 1 + noise, 1.0)[customer]
    ours = np.where(red, theirs * unlucky, theirs)
    answers = [np.stack([one, one - 1, one + 1], axis=1) for one in (ours, theirs)]
    keys = [("colour", pd.Series(np.where(red, "red", "blue")))]
    return judge_champion(configure(margin=0.1), "3", PRICE, labels, *answers, keys, counting)


def test_some_unlucky_customers_make_no_slice_surely_worse() -> None:
    customers = np.arange(2000) % 80
    total, by_slice = compare_by_customer(Counting(groups=customers), 0.7)
    assert " test rows in 80 groups is " in total.sentence
    assert (total.verdict, by_slice.verdict) == ("go", "go")
    assert by_slice.sentence == "on none of 2 slices is it surely worse by more than 10.0%"
    assert decide(compare_by_customer(Counting(), 0.7)) == ["go", "stop"], "nor would rows: the test tests nothing"


def test_a_slice_that_is_worse_for_all_its_customers_stops_the_run() -> None:
    random = np.random.default_rng(0)
    customers, theirs = np.arange(2000) % 160, random.normal(0, 1, 2000)
    red = customers < 40
    ours = np.where(red, theirs * 1.2, theirs * 0.95)
    answers = [np.stack([one, one - 1, one + 1], axis=1) for one in (ours, theirs)]
    keys = [("colour", pd.Series(np.where(red, "red", "blue")))]
    counting = Counting(groups=customers)
    verdicts = judge_champion(configure(margin=0.1), "3", PRICE, np.zeros(2000), *answers, keys, counting)
    assert decide(verdicts) == ["go", "stop"]


def test_of_few_groups_nothing_is_sure() -> None:
    total, by_slice = compare_by_customer(Counting(groups=np.arange(2000) % 8), 0.7)
    assert "test rows in 8 groups is " in total.sentence
    assert total.sentence.endswith("% above version 3's")  # and no bounds
    assert (by_slice.verdict, by_slice.sentence) == ("go", "no slice has 30 groups of test rows")


def compare_networks(worse: float, worse_in_red: float, slices: bool = True) -> list[Verdict]:
    random = np.random.default_rng(0)
    labels, red = random.normal(0, 2, 2000), np.arange(2000) % 20 == 0
    noise = random.normal(0, 1, (2, 2000)) * 0.05 + random.normal(0, 1, 2000)
    theirs = labels + noise[0]
    ours = labels + noise[1] * np.where(red, 1 + worse_in_red, 1 + worse)
    keys = [("colour", pd.Series(np.where(red, "red", "blue")))] if slices else []
    answers = [np.stack([one, one - 1, one + 1], axis=1) for one in (ours, theirs)]
    return judge_champion(configure(margin=0.05), "3", PRICE, labels, answers[0], answers[1], keys)


def test_an_equal_network_may_take_the_champions_place() -> None:
    total, by_slice = compare_networks(0, 0)
    assert (total.verdict, by_slice.verdict) == ("go", "go")
    assert total.sentence.startswith("its mean loss on 2,000 test rows is ")
    assert by_slice.sentence == "on none of 2 slices is it surely worse by more than 5.0%"


def test_a_worse_network_may_not() -> None:
    (total,) = compare_networks(0.1, 0.1)
    assert total.verdict == "stop"
    assert total.sentence.endswith("version 3's: more than the margin of 5.0%")


def test_nor_one_that_is_worse_on_a_slice() -> None:
    assert decide(compare_networks(0, 0.3)) == ["go", "stop"]
    assert "where `colour` is red, its mean loss is " in compare_networks(0, 0.3)[1].sentence
    assert decide(compare_networks(0, 0.3, slices=False)) == ["go", "go"]


def test_classes_are_compared_by_their_log_loss() -> None:
    labels = np.array([0, 1] * 100)
    good, bad = (np.where(labels == 1, sure, 1 - sure)[:, None] for sure in (0.9, 0.6))
    assert decide(judge_champion(configure(), "3", LATE, labels, good, bad, [])) == ["go", "go"]
    assert decide(judge_champion(configure(), "3", LATE, labels, bad, good, [])) == ["stop"]


ROWS = pd.DataFrame({"size": np.linspace(0, 1, 500, dtype=np.float32), "colour": ["red", "blue"] * 250})


def answer(rows: pd.DataFrame) -> np.ndarray:
    """Answer more to a larger size, and a little more to red."""
    return (rows["size"].to_numpy() / 2 + 0.01 * (rows["colour"] == "red").to_numpy())[:, None]


@pytest.mark.parametrize(
    ("expected", "verdict"),
    [
        ({"test": "direction", "feature": "size", "answer": "up"}, "go"),
        ({"test": "direction", "feature": "size", "answer": "up", "by": 0.1}, "go"),
        ({"test": "direction", "feature": "size", "answer": "down"}, "stop"),
        ({"test": "direction", "feature": "size", "answer": "down", "of": False}, "go"),
        ({"test": "invariance", "feature": "colour", "tolerance": 0.02}, "go"),
        ({"test": "invariance", "feature": "colour"}, "stop"),
        ({"test": "invariance", "feature": "size", "tolerance": 0.02}, "stop"),
        ({"test": "invariance", "feature": "size", "tolerance": 0.02, "share": 0.01}, "go"),
    ],
)
def test_behaviour(expected: dict[str, Any], verdict: str) -> None:
    found = judge_behaviour(Behaviour.model_validate(expected), LATE, ROWS, answer, seed=0)
    assert found.verdict == verdict, found.sentence


def test_what_is_missing_everywhere_cannot_be_tried() -> None:
    expected = Behaviour(test="invariance", feature="size")
    found = judge_behaviour(expected, LATE, ROWS.assign(size=np.float32("nan")), answer, seed=0)
    assert (found.verdict, found.sentence) == ("stop", "`size` is missing in every test row: nothing can be tried")


def make_schema(**changed: Any) -> Schema:
    features = (Number(name="size", low=0, high=changed.pop("high", 10)), Category(name="colour", vocabulary=("red",)))
    return Schema(name="shop", features=features, target=LATE)


def test_compatibility() -> None:
    contract = Contract("3", make_schema(), None)
    assert judge_compatibility(None, make_schema()).verdict == "go"
    assert judge_compatibility(contract, make_schema()).verdict == "go"
    found = judge_compatibility(contract, make_schema(high=5))
    assert found.verdict == "stop"
    assert found.sentence.startswith("callers of version 3 can't call it: `size` takes 0 to 5, callers send 0 to 10")
    assert found.sentence.endswith("; clients first: let all callers change, then roll out the new service")


def test_compatibility_names_the_order_of_a_new_field() -> None:
    contract = Contract("3", make_schema(), None)
    optional = Number(name="weight", low=0, high=1, optional=True, default=0.5)
    for added, verdict, order in (
        (optional, "go", "who may send its new fields once it is out: service first"),
        (Number(name="weight", low=0, high=1), "stop", "clients first: set UNKNOWN_FIELDS=ignore at the old service, "),
    ):
        schema = Schema(name="shop", features=(*make_schema().features, added), target=LATE)
        found = judge_compatibility(contract, schema)
        assert (found.verdict, order in found.sentence) == (verdict, True), found.sentence


def ask(comparison: Comparison | Exception, decision: str = "") -> Any:
    def answer(services: Sequence[str]) -> Judgement:
        if isinstance(comparison, Exception):
            raise comparison
        judged = judge(comparison)
        return Judgement(**{**vars(judged), "decision": decision}) if decision else judged

    return answer


COMPARED = compare("a")
VERSION = COMPARED.challenger.version


@pytest.mark.parametrize(
    ("asked", "version", "verdict", "said"),
    [
        (ask(compare("a", labels=1000), "better"), VERSION, "go", f"version {VERSION} is better: its "),
        (ask(compare("a", labels=1000), "worse"), VERSION, "stop", f"version {VERSION} is worse: its "),
        (ask(COMPARED), VERSION, "go", "nothing was found against version"),
        (
            ask(COMPARED),
            "77",
            "stop",
            "no service compared version 77 within 0.0001 h (they ",
        ),
        (
            ask(UserError("it is not there")),
            VERSION,
            "stop",
            "(it is not there): start them with CHALLENGER",
        ),
    ],
)
def test_shadow(asked: Any, version: str, verdict: str, said: str) -> None:
    pair = Pair("flights", "1", version, COMPARED.challenger.digest)
    found = judge_shadow(["http://a"], pair, 0.0001, asked)
    assert found.verdict == verdict, found.sentence
    assert said in found.sentence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "trains"}, "they compare version 2, but not this one with version 1 of trains"),
        ({"champion": COMPARED.champion.model_copy(update={"version": "9"})}, "not this one with version 9 of flights"),
        ({"challenger": COMPARED.challenger.model_copy(update={"digest": "c"})}, "version 2, but not this one with"),
    ],
)
def test_services_that_compare_others_say_nothing_of_these(change: dict[str, Any], said: str) -> None:
    pair = Pair("flights", "1", VERSION, COMPARED.challenger.digest)
    found = judge_shadow(["http://a"], pair, 0.0001, ask(COMPARED.model_copy(update=change), "better"))
    assert found.verdict == "stop"
    assert said in found.sentence
