"""Rows that were encoded for one model become, exactly, what another would have encoded, or are left out."""

from typing import Any

import numpy as np
import pytest

from ekiben.contract.comparison.transcoding import Transcoder
from ekiben.contract.encoding import Encoded, Encoder
from ekiben.contract.errors import InvalidInput, InvalidModel
from ekiben.contract.feature import Boolean, Category, Feature, Number, Timestamp
from ekiben.contract.schema import Schema, Target

CARRIERS = ("", "AA", "B6", "UA")
FEATURES: tuple[Feature, ...] = (
    Number(name="distance", low=0, high=5000, nullable=True, example=1.0),
    Timestamp(name="departure", example="2026-01-01T00:00"),
    Category(name="carrier", vocabulary=CARRIERS, nullable=True, example="UA"),
    Boolean(name="holiday", example=True),
    Category(name="origin", vocabulary=("EWR", "JFK"), example="JFK"),
)
TARGET = Target(name="late", classes=(False, True))
ROWS: list[dict[str, Any]] = [
    {"distance": distance, "departure": f"2026-0{month}-11T{hour:02}:30", "carrier": carrier, "holiday": month > 3,
     "origin": origin}
    for distance, month, hour, carrier, origin in (
        (100, 1, 3, "UA", "JFK"), (4000.5, 2, 23, None, "EWR"), (None, 5, 11, "AA", "LGA"), (7, 7, 0, "??", "JFK"),
    )
]  # fmt: skip


def make(*features: Feature, name: str = "flights", target: Target = TARGET) -> Schema:
    return Schema(name=name, features=features, target=target)


def change(index: int, **changes: Any) -> tuple[Feature, ...]:
    return tuple(f.model_copy(update=changes) if at == index else f for at, f in enumerate(FEATURES))


CHAMPION = make(*FEATURES)
ENCODED = Encoder(CHAMPION).encode_rows(ROWS)


@pytest.mark.parametrize(
    "challenger",
    [
        CHAMPION,
        make(*FEATURES[::-1]),
        make(*FEATURES[2:]),
        make(*change(1, cycles=("day_of_year", "hour"))),
        make(*change(2, vocabulary=("", "UA"))),
        make(*change(2, vocabulary=("UA", "", "B6"))),
        make(*change(0, low=-5.0, example=2.0, description="miles")),
    ],
)
def test_they_are_as_the_challenger_would_have_encoded_them(challenger: Schema) -> None:
    done = Transcoder(CHAMPION, challenger).transcode(ENCODED)
    rows = [{name: row[name] for name in challenger.names} for row in ROWS]
    wanted = Encoder(challenger).encode_rows(rows)
    assert (done.kept, done.rejected, done.unknown) == (None, 0, 0)
    assert np.array_equal(done.encoded.numbers, wanted.numbers, equal_nan=True)
    assert np.array_equal(done.encoded.codes, wanted.codes)


def test_an_identical_schema_copies_nothing() -> None:
    assert Transcoder(CHAMPION, make(*change(0, example=3.0))).transcode(ENCODED).encoded is ENCODED


def test_rows_with_a_value_that_only_the_challenger_may_know_are_left_out() -> None:
    challenger = make(*change(2, vocabulary=("", "AA", "DL", "UA")))
    done = Transcoder(CHAMPION, challenger).transcode(ENCODED)
    assert done.kept is not None
    assert (done.kept.tolist(), done.rejected, done.unknown) == ([True, True, True, False], 0, 1)
    assert np.array_equal(done.encoded.codes, Encoder(challenger).encode_rows(ROWS[:3]).codes)


@pytest.mark.parametrize(
    ("features", "kept"),
    [
        (change(0, high=1000.0), [True, False, True, True]),
        (change(0, nullable=False), [True, True, False, True]),
        (change(2, nullable=False, vocabulary=CARRIERS[1:]), [True, False, True, True]),
    ],
)
def test_rows_that_the_challenger_would_reject_are_left_out(features: tuple[Feature, ...], kept: list[bool]) -> None:
    challenger = make(*features)
    done = Transcoder(CHAMPION, challenger).transcode(ENCODED)
    assert done.kept is not None
    assert (done.kept.tolist(), done.rejected, done.unknown) == (kept, 1, 0)
    with pytest.raises(InvalidInput):
        Encoder(challenger).encode_rows([row for row, fits in zip(ROWS, kept, strict=True) if not fits])


@pytest.mark.parametrize(
    ("challenger", "words"),
    [
        (make(*FEATURES, name="other"), "of other"),
        (make(*FEATURES, target=Target(name="late", classes=("no", "yes"))), "has the champion's problem and classes"),
        (make(*FEATURES, target=Target(name="late", task="regression")), r"\(regression\), the champion"),
        (make(*FEATURES, Number(name="speed", low=0, high=1, example=0)), "needs `speed`, which callers of the champ"),
        (make(Category(name="distance", vocabulary=("1",), example="1")), "takes `distance` as a category, the champ"),
        (make(*change(1, zoned=True)), "takes `departure` with a UTC offset"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(challenger: Schema, words: str) -> None:
    with pytest.raises(InvalidModel, match=words):
        Transcoder(CHAMPION, challenger)


def test_a_cycle_that_the_champion_does_not_encode_is_named() -> None:
    champion = make(*change(1, cycles=("hour",)))
    with pytest.raises(InvalidModel, match="needs the weekday of `departure`"):
        Transcoder(champion, CHAMPION)


def test_no_rows_are_no_rows() -> None:
    none = Encoded(ENCODED.numbers[:0], ENCODED.codes[:0])
    assert len(Transcoder(CHAMPION, make(*FEATURES[2:])).transcode(none).encoded) == 0
