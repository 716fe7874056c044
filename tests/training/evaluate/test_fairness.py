"""Groups beside the largest one: rates and ratios on counts small enough to know, and intervals that hold."""

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.schema import Target
from ekiben.training.evaluate.fairness import (
    RATES,
    UNKNOWN,
    GroupRates,
    Interval,
    Share,
    compare_groups,
    describe_unfair,
    name_group,
)

HIRED = Target(name="hired", classes=(False, True))
SPECIES = Target(name="species", task="multiclass", classes=("setosa", "versicolor", "virginica"))
random = np.random.default_rng(7)


def make_rows(*groups: tuple[str, int, int, int, int]) -> tuple[np.ndarray, np.ndarray, pd.Series]:
    """Return labels, answers and groups: of each how many are true and selected, true and not, false and …, false."""
    counts = [(1.0, 0.9), (1.0, 0.1), (0.0, 0.9), (0.0, 0.1)]
    rows = [
        (*kind, name)
        for name, *numbers in groups
        for kind, number in zip(counts, numbers, strict=True)
        for _ in range(number)
    ]
    labels, answers, names = zip(*rows, strict=True)
    return np.array(labels, np.float32), np.array(answers, np.float32)[:, None], pd.Series(names, dtype=object)


def value(rate: Interval | None) -> float:
    assert rate is not None
    return rate.value


def test_rates_and_their_ratios_to_the_largest_group() -> None:
    labels, answers, groups = make_rows(("few", 6, 4, 3, 7), ("many", 40, 10, 10, 40))
    many, few = compare_groups(HIRED, labels, answers, groups)
    assert (many.group, many.rows, few.group, few.rows) == ("many", 100, "few", 20)
    assert [value(many.rates[name]) for name in RATES] == [0.5, 0.8, 0.2]
    assert [value(few.rates[name]) for name in RATES] == pytest.approx([0.45, 0.6, 0.3])
    assert [value(few.ratios[name]) for name in RATES] == pytest.approx([0.9, 0.75, 1.5])
    assert many.ratios == {}, "the largest is compared with nobody"
    assert many.selected == "true"


def test_the_interval_of_a_rate_is_wilsons() -> None:
    rate = Share(8, 10).rate
    assert rate is not None
    assert (rate.low, rate.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    none = Share(0, 5).rate
    assert none is not None
    assert none.low == 0.0
    assert none.high == pytest.approx(0.4345, abs=1e-4)
    assert Share(0, 0).rate is None


def test_the_interval_of_a_ratio_is_katzs() -> None:
    ratio = Share(15, 100).compare(Share(30, 100))
    assert ratio is not None
    assert ratio.value == 0.5
    assert (ratio.low, ratio.high) == pytest.approx((0.2872, 0.8704), abs=1e-4)


@pytest.mark.parametrize(("rows", "others"), [(40, 400), (200, 1000)])
def test_an_interval_holds_the_true_ratio_nearly_always(rows: int, others: int) -> None:
    draws, held = 2000, 0
    for happened, others_happened in zip(
        random.binomial(rows, 0.3, draws), random.binomial(others, 0.5, draws), strict=True
    ):
        ratio = Share(float(happened), rows).compare(Share(float(others_happened), others))
        held += ratio is not None and ratio.low <= 0.6 <= ratio.high
    assert held / draws == pytest.approx(0.95, abs=0.02)


def test_where_nothing_happens() -> None:
    nobody = Share(0, 20).compare(Share(50, 100))
    assert nobody is not None
    assert (nobody.value, nobody.low) == (0.0, 0.0)
    assert 0 < nobody.high < 1
    assert Share(5, 20).compare(Share(0, 100)) is None
    assert Share(0, 0).compare(Share(5, 100)) is None
    everybody = Share(20, 20).compare(Share(100, 100))
    assert everybody is not None
    assert everybody.low < everybody.value == 1.0 < everybody.high


def test_labels_that_have_not_come_count_for_selection_alone() -> None:
    labels, answers, groups = make_rows(("few", 6, 4, 3, 7), ("many", 40, 10, 10, 40))
    labels[groups == "few"] = UNKNOWN
    _, few = compare_groups(HIRED, labels, answers, groups)
    assert value(few.rates["selection_rate"]) == pytest.approx(0.45)
    assert few.rates["true_positive_rate"] is None
    assert few.ratios["false_positive_rate"] is None


def test_weighted_rows_have_the_rates_of_repeated_ones_and_no_narrower_intervals() -> None:
    labels, answers, groups = make_rows(("few", 6, 4, 3, 7), ("many", 40, 10, 10, 40))
    weights = np.where(np.arange(len(labels)) % 3 == 0, 4.0, 1.0)
    repeats = weights.astype(int)
    weighted = compare_groups(HIRED, labels, answers, groups, weights)
    repeated = compare_groups(
        HIRED, np.repeat(labels, repeats), np.repeat(answers, repeats, axis=0), groups.repeat(repeats)
    )
    for ours, theirs in zip(weighted, repeated, strict=True):
        for name in RATES:
            mine, other = ours.rates[name], theirs.rates[name]
            assert mine is not None
            assert other is not None
            assert mine.value == pytest.approx(other.value)
            assert mine.high - mine.low > other.high - other.low


def test_of_several_classes_each_is_what_rows_are_selected_for() -> None:
    labels = random.integers(0, 3, 300)
    answers = np.eye(3, dtype=np.float32)[random.integers(0, 3, 300)]
    compared = compare_groups(SPECIES, labels, answers, pd.Series(["a", "b", "a"] * 100))
    assert sorted({group.selected for group in compared}) == sorted(map(str, SPECIES.classes))
    chosen = answers.argmax(axis=1)
    first = next(group for group in compared if (group.group, group.selected) == ("b", "setosa"))
    here = np.arange(300) % 3 == 1
    assert value(first.rates["selection_rate"]) == pytest.approx((chosen[here] == 0).mean())
    assert value(first.rates["true_positive_rate"]) == pytest.approx((chosen[here & (labels == 0)] == 0).mean())
    assert name_group(SPECIES, first) == "b, setosa"


def test_only_clear_differences_are_said() -> None:
    alike = make_rows(("few", 6, 4, 3, 7), ("many", 40, 10, 10, 40))
    assert list(describe_unfair("sex", compare_groups(HIRED, *alike))) == []
    unlike = make_rows(("women", 60, 140, 20, 180), ("men", 320, 80, 100, 300))
    sentences = list(describe_unfair("sex", compare_groups(HIRED, *unlike)))
    assert sentences[0] == ("`sex`: the selection rate for true of women is 0.38 times that of men (0.31 to 0.47)")
    assert len(sentences) == 3


def test_a_row_of_a_table_holds_every_number() -> None:
    interval = Interval(0.5, 0.4, 0.6)
    row = GroupRates("a", "true", 7, dict.fromkeys(RATES, interval), {}).flatten()
    assert row["selection_rate"] == 0.5
    assert row["selection_rate_low"] == 0.4
    assert row["false_positive_rate_ratio"] is None
    assert len(row) == 3 + 3 * 2 * 3
