"""Encoded rows are counted as the columns they were, and counts add up."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.feature import Number, Timestamp
from ekiben.contract.reference.bins import CategoryBins, NumberBins, just_below
from ekiben.contract.reference.counting import RowCounter
from ekiben.contract.reference.placing import NumberPlacer, place_cycle
from ekiben.contract.reference.reference import Distribution, Reference
from ekiben.contract.schema import Schema, Target
from ekiben.contract.timestamps import encode_cycles
from ekiben.training.checks.answers_learning import describe_answers
from ekiben.training.checks.column_counts import count_column
from ekiben.training.checks.reference_learning import learn_reference
from tests.every_kind import SCHEMA

ROWS = 5000


def make_table(seed: int, rows: int = ROWS) -> pd.DataFrame:
    """Rows of every kind of feature, with nulls, ties, tenths that no float32 holds, and values never seen."""
    draw = np.random.default_rng(seed)

    def some(column: pd.Series) -> pd.Series:
        return column.mask(pd.Series(draw.random(rows) < 0.1))

    seconds = pd.Series(pd.to_datetime(draw.integers(0, 2 * 10**9, rows), unit="s"))
    return pd.DataFrame(
        {
            "distance": draw.integers(0, 50, rows) / 10,
            "temp": some(pd.Series(draw.integers(0, 5, rows) * 0.1)),
            "carrier": draw.choice(["AA", "UA", "new"], rows),
            "gate": some(pd.Series(draw.choice(["A1", "ب۲", "NA", "rare"], rows))),
            "holiday": pd.Series(draw.random(rows) < 0.3),
            "strike": some(pd.Series(draw.random(rows) < 0.3)).astype("boolean"),
            "departure": seconds,
            "booked": some(seconds.dt.tz_localize("UTC")),
            "late": draw.random(rows) < 0.2,
        }
    )


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    return Encoder(SCHEMA).encode(make_table(1))


@pytest.fixture(scope="module")
def answers() -> np.ndarray:
    return np.random.default_rng(2).random((ROWS, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def reference(encoded: Encoded, answers: np.ndarray) -> Reference:
    table = make_table(1)
    return describe_answers(learn_reference(SCHEMA, tuple(table), table), SCHEMA, encoded, answers)


def test_rows_are_counted_as_the_columns_they_were(reference: Reference) -> None:
    table = make_table(3)
    counter = RowCounter(SCHEMA, reference)
    features, _ = counter.split(counter.count(Encoder(SCHEMA).encode(table), np.zeros((ROWS, 1), np.float32)))
    named = {feature.name: feature for feature in SCHEMA.features}
    wanted = {
        one.name: tuple(count_column(one.bins, table[one.column], named[one.column]).tolist())
        for one in reference.distributions
        if one.column in named
    }
    assert features == wanted
    assert set(wanted) > {"distance", "gate", "strike", "departure.weekday", "booked.hour"}


def test_known_values_without_a_bin_share_one(reference: Reference) -> None:
    bins = CategoryBins(values=("A1",))
    gate = Distribution(column="gate", bins=bins, counts=(0, 0, 0, 0))
    counter = RowCounter(SCHEMA, reference.model_copy(update={"distributions": (gate,)}))
    table = make_table(3)
    features, _ = counter.split(counter.count(Encoder(SCHEMA).encode(table), np.zeros((ROWS, 1), np.float32)))
    (feature,) = (one for one in SCHEMA.features if one.name == "gate")
    assert features == {"gate": tuple(count_column(bins, table["gate"], feature).tolist())}
    assert min(features["gate"]) > 0


def test_training_rows_are_counted_as_training_counted_them(
    reference: Reference, encoded: Encoded, answers: np.ndarray
) -> None:
    counter = RowCounter(SCHEMA, reference)
    features, counted_answers = counter.split(counter.count(encoded, answers))
    assert features == {one.name: one.counts for one in reference.distributions if one.name in features}
    assert counted_answers == {"probability": reference.answers[0].counts}


def test_counts_of_parts_add_up(reference: Reference, encoded: Encoded, answers: np.ndarray) -> None:
    counter = RowCounter(SCHEMA, reference)
    cuts = [0, 1, 2, 700, 701, ROWS]
    parts = [counter.count(encoded[begin:end], answers[begin:end]) for begin, end in pairwise(cuts)]
    assert np.array_equal(sum(parts), counter.count(encoded, answers))


def test_effects_are_the_mean_answers_of_a_bin(reference: Reference, encoded: Encoded, answers: np.ndarray) -> None:
    (holiday,) = (one for one in reference.distributions if one.name == "holiday")
    free = encoded.numbers[:, SCHEMA.number_names.index("holiday")] == 1
    wanted = [answers[~free].mean() - answers.mean(), answers[free].mean() - answers.mean(), 0]
    assert holiday.effects == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_answers_fill_their_bins_evenly(reference: Reference) -> None:
    (answered,) = reference.answers
    assert isinstance(answered.bins, NumberBins)
    assert len(answered.counts) == 20 + 1
    assert set(answered.counts[:-1]) <= set(range(ROWS // 20 - 2, ROWS // 20 + 3))


@pytest.mark.parametrize("value", [0.1, -0.1, 0.0, 1e30, -7.0, 16_777_217.0])
def test_a_number_with_a_bin_of_its_own_is_found_there(value: float) -> None:
    own = float(np.float32(value))
    column = np.array(
        [[own, np.nextafter(np.float32(own), np.float32(np.inf)), own - abs(own) - 1, np.nan]], np.float32
    )
    assert NumberPlacer([(just_below(own), own)]).place(column).tolist() == [[1, 2, 0, 3]]


def test_columns_with_more_edges_leave_the_others_alone() -> None:
    placer = NumberPlacer([(), (1.0,), (1.0, 2.0, 3.0)])
    column = np.array([0.0, 1.0, 2.5, np.inf, np.nan], np.float32)
    assert placer.place(np.stack([column] * 3)).tolist() == [[0, 0, 0, 0, 1], [0, 0, 1, 1, 2], [0, 0, 2, 3, 4]]


def test_every_second_of_a_day_is_counted_in_its_hour() -> None:
    seconds = np.arange(86_400)
    points = encode_cycles(seconds, ("hour",)).T
    assert np.array_equal(place_cycle("hour", points), seconds // 3600)


def test_every_day_is_counted_in_its_weekday_and_month() -> None:
    first = datetime(2013, 1, 1, 23, 59, 59, tzinfo=UTC)
    days = [first + timedelta(days=day) for day in range(365)]
    points = encode_cycles(np.array([int(day.timestamp()) for day in days]), ("weekday", "day_of_year")).T
    assert place_cycle("weekday", points[:2]).tolist() == [day.weekday() for day in days]
    assert place_cycle("day_of_year", points[2:]).tolist() == [day.month - 1 for day in days]


def test_a_column_that_is_called_like_a_cycle_or_an_answer_is_not_mixed_up() -> None:
    moment, number = Timestamp(name="seen", cycles=("hour",)), Number(name="seen.hour", low=0, high=100)
    likely = Number(name="probability", low=0, high=100)
    schema = Schema(name="twins", features=(likely, moment, number), target=Target(name="y", classes=(False, True)))
    frame = pd.DataFrame(
        {
            "probability": np.arange(100.0),
            "seen": pd.to_datetime(np.arange(100) * 3600, unit="s"),
            "seen.hour": np.arange(100.0),
            "y": [True, False] * 50,
        }
    )
    encoded, answers = Encoder(schema).encode(frame), np.linspace(0, 1, 100, dtype=np.float32)[:, None]
    reference = describe_answers(learn_reference(schema, tuple(frame), frame), schema, encoded, answers)
    counter = RowCounter(schema, reference)
    features, counted_answers = counter.split(counter.count(encoded, answers))
    assert [feature.name for feature in counter.features] == ["probability", "seen.hour"]
    assert {name: sum(counts) for name, counts in features.items()} == {"probability": 100, "seen.hour": 100}
    assert len(features["probability"]) == 10 + 1
    assert len(counted_answers["probability"]) == 20 + 1
