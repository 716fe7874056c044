"""Reads ISO 8601 strings inside a Keras graph, with Keras's own layers only.

A custom layer would need this project's code wherever the model is loaded; a character
vocabulary and integer arithmetic travel inside the `.keras` file.
"""

import math
from collections.abc import Sequence

import keras
from keras import KerasTensor, ops

from ekiben.contract.feature import Cycle, Timestamp
from ekiben.contract.spellings.calendar import SECONDS_PER_DAY
from ekiben.contract.timestamps import DAYS_PER_WEEK, DAYS_PER_YEAR, EPOCH_WEEKDAY

CHARACTERS = "0123456789-T :+Z"
FIRST_CODE = 2  # TextVectorization gives padding 0 and unknown characters 1
DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
DAYS_OF_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
DATE_DIGITS = (0, 1, 2, 3, 5, 6, 8, 9)
CLOCK_DIGITS = (11, 12, 14, 15, 17, 18)
SEPARATORS = {4: "-", 7: "-", 10: "T ", 13: ":", 16: ":"}  # from 10 on there may be nothing
LENGTH = 26  # one more than 2013-07-04T17:30:00+00:00, to notice what is longer
TAILS = ("", "Z", "+00:00")  # what may follow the seconds of a zoned column, which holds UTC


def read_cycles(strings: KerasTensor, feature: Timestamp) -> KerasTensor:
    """Return the sine and cosine of each cycle, (rows, 2 × cycles), of `YYYY-MM-DDTHH:MM:SS` strings.

    The clock, or its seconds, may be left out. NaN where the text is empty or in another form.
    """
    letters = keras.layers.TextVectorization(
        standardize=None, split="character", vocabulary=list(CHARACTERS), output_sequence_length=LENGTH
    )
    codes = ops.cast(letters(strings), "int32")  # (rows, LENGTH)
    year, month, day = _number(codes, 0, 4), _number(codes, 5, 2), _number(codes, 8, 2)
    seconds = _number(codes, 11, 2) * 3600 + _number(codes, 14, 2) * 60 + _number(codes, 17, 2)
    turns = [_turns(cycle, year, month, day, seconds) for cycle in feature.cycles]
    angles = ops.stack(turns, axis=1) * (2 * math.pi)  # (rows, cycles) float64
    points = ops.stack([ops.sin(angles), ops.cos(angles)], axis=2)
    points = ops.reshape(ops.cast(points, "float32"), (-1, 2 * len(feature.cycles)))
    sensible = [
        _between(month, 1, 12),
        ops.greater_equal(day, 1),
        ops.less_equal(day, _by_month(month, DAYS_OF_MONTH) + _leap_day(year, ops.equal(month, 2))),
        ops.less(seconds, SECONDS_PER_DAY),
    ]
    readable = ops.all(ops.stack([_is_readable(codes, feature), *sensible], axis=1), axis=1)
    return ops.where(ops.expand_dims(readable, 1), points, math.nan)


def _turns(cycle: Cycle, year: KerasTensor, month: KerasTensor, day: KerasTensor, seconds: KerasTensor) -> KerasTensor:
    """Return which part of its circle each moment has gone; the twin of `ekiben.contract.timestamps`."""
    if cycle == "hour":
        return ops.cast(seconds, "float64") / SECONDS_PER_DAY
    day_of_year = _day_of_year(year, month, day)
    if cycle == "day_of_year":
        return ops.cast(day_of_year, "float64") / DAYS_PER_YEAR
    past = year - 1
    leap_days = ops.floor_divide(past, 4) - ops.floor_divide(past, 100) + ops.floor_divide(past, 400)
    days = past * 365 + leap_days - 719_162 + day_of_year  # since 1970; 719,162 days lie between it and year 1
    return ops.cast(ops.mod(days + EPOCH_WEEKDAY, DAYS_PER_WEEK), "float64") / DAYS_PER_WEEK


def _day_of_year(year: KerasTensor, month: KerasTensor, day: KerasTensor) -> KerasTensor:
    """Return the days since 1 January."""
    return _by_month(month, DAYS_BEFORE_MONTH) + _leap_day(year, ops.greater(month, 2)) + day - 1


def _by_month(month: KerasTensor, days: Sequence[int]) -> KerasTensor:
    return sum(ops.where(ops.equal(month, index), some, 0) for index, some in enumerate(days, start=1))


def _leap_day(year: KerasTensor, matters: KerasTensor) -> KerasTensor:
    """Return 1 where the year has a 29 February and it matters, else 0."""
    fourth, hundredth, four_hundredth = (ops.equal(ops.mod(year, years), 0) for years in (4, 100, 400))
    leap = ops.logical_and(fourth, ops.logical_or(ops.logical_not(hundredth), four_hundredth))
    return ops.cast(ops.logical_and(leap, matters), "int32")


def _number(codes: KerasTensor, start: int, length: int) -> KerasTensor:
    """Return the number that stands at these characters; padding counts as zeros."""
    digits = ops.maximum(codes[:, start : start + length] - FIRST_CODE, 0)
    return sum(digits[:, index] * 10 ** (length - 1 - index) for index in range(length))


def _is_readable(codes: KerasTensor, feature: Timestamp) -> KerasTensor:
    """Return whether digits and separators stand where they must and the tail is one allowed, (rows,)."""
    nine = FIRST_CODE + 9
    date = [_between(codes[:, index], FIRST_CODE, nine) for index in DATE_DIGITS]
    clock = [
        ops.logical_or(ops.equal(codes[:, index], 0), _between(codes[:, index], FIRST_CODE, nine))
        for index in CLOCK_DIGITS
    ]
    # A number of two digits is there or it is not: half of one is not a number.
    whole = [ops.equal(ops.equal(codes[:, i], 0), ops.equal(codes[:, i + 1], 0)) for i in CLOCK_DIGITS[::2]]
    separators = [_is_one_of(codes[:, index], letters, index >= 10) for index, letters in SEPARATORS.items()]
    readable = ops.all(ops.stack([*date, *clock, *whole, *separators], axis=1), axis=1)
    tails = [_ends_with(codes, tail) for tail in (TAILS if feature.zoned else TAILS[:1])]
    return ops.logical_and(readable, ops.any(ops.stack(tails, axis=1), axis=1))


def _is_one_of(codes: KerasTensor, letters: str, optional: bool) -> KerasTensor:
    allowed = [FIRST_CODE + CHARACTERS.index(letter) for letter in letters] + ([0] if optional else [])
    return ops.any(ops.stack([ops.equal(codes, code) for code in allowed], axis=1), axis=1)


def _ends_with(codes: KerasTensor, tail: str) -> KerasTensor:
    """Return whether just this text stands after the seconds, (rows,)."""
    start = CLOCK_DIGITS[-1] + 1
    wanted = [FIRST_CODE + CHARACTERS.index(letter) for letter in tail] + [0] * (LENGTH - start - len(tail))
    return ops.all(ops.stack([ops.equal(codes[:, start + i], code) for i, code in enumerate(wanted)], axis=1), axis=1)


def _between(codes: KerasTensor, low: int, high: int) -> KerasTensor:
    return ops.logical_and(ops.greater_equal(codes, low), ops.less_equal(codes, high))
