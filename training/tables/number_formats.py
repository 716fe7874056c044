"""Reads columns of numbers in Arrow's kernels, by the very rules that read a cell."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.spellings.numbers import (
    ASCII_SAME,
    FLOAT32_LIMIT,
    NumberRules,
    Rule,
    number_rules,
    read_number,
    to_ascii,
)
from ekiben.contract.spellings.spelling import Spelling
from ekiben.training.tables.distinct import read_distinct

_PLAIN = r"^[+-]?[0-9.,]*$"  # but for a sign nothing stands beside such a number
_HEAD = 64  # strings are tried first: Arrow takes 0.4 µs for each of many that fail
_PLAIN_MARKS = ".,"


def cast_digits(strings: pa.Array, spelling: Spelling) -> pa.Array | None:
    """Return strings as `read_numbers` would, null where empty, if no more stands in any than a number's digits.

    Else None: there are blanks, markers of missing, or what is no number. Most columns cost half as much so.
    """
    if spelling.null:
        return None
    filled = pc.if_else(pc.equal(pc.binary_length(strings), 0), None, strings)
    with suppress(pa.ArrowInvalid):
        _cast(filled.slice(0, _HEAD), spelling.decimal)
        wide = hold_in_float32(_cast(filled, spelling.decimal))
        return wide if wide.null_count == filled.null_count else None  # `nan` is read as a number, and `inf`
    return None


def read_numbers(strings: pa.Array, spelling: Spelling) -> pa.Array:
    """Return strings without blanks around them as float64, null where one is not a number that float32 can hold."""
    with suppress(pa.ArrowInvalid):
        _cast(strings.slice(0, _HEAD), spelling.decimal)
        return hold_in_float32(_cast(strings, spelling.decimal))
    if spelling.format:
        return read_distinct(strings, partial(read_number, spelling=spelling), pa.float64())
    encoded = strings.dictionary_encode()
    return hold_in_float32(_read(encoded.dictionary, spelling)).take(encoded.indices)


def _read(strings: pa.Array, spelling: Spelling) -> pa.Array:
    rules = number_rules(spelling)
    marks = rules.marks
    if pc.all(pc.match_substring_regex(strings, _PLAIN)).as_py():
        marks = tuple(mark for mark in marks if mark[0] in _PLAIN_MARKS)
    else:
        strings = _replace(_to_ascii(strings, rules), rules.beside)
    strings = pc.if_else(pc.match_substring_regex(strings, rules.grammar.pattern), strings, None)
    for mark, replacement in marks:
        strings = pc.replace_substring(strings, mark, replacement)
    return strings.cast(pa.float64())


def hold_in_float32(wide: pa.Array) -> pa.Array:
    """Return float64 numbers, null where float32 can't hold them."""
    return pc.if_else(pc.less(pc.abs(wide), FLOAT32_LIMIT), wide, None)  # NaN is not less


def _cast(strings: pa.Array, decimal: str) -> pa.Array:
    """Return strings of mere digits as float64; raise ArrowInvalid if any says more than that."""
    if decimal == ",":
        if pc.any(pc.match_substring(strings, ".")).as_py():
            raise pa.ArrowInvalid("a dot parts thousands here")
        strings = pc.replace_substring(strings, decimal, ".")
    return strings.cast(pa.float64())


def _to_ascii(strings: pa.Array, rules: NumberRules) -> pa.Array:
    if pc.all(pc.string_is_ascii(strings)).as_py():
        return _replace(strings, rules.characters[:ASCII_SAME])
    strings = _replace(strings, rules.characters)
    others = pc.fill_null(pc.invert(pc.string_is_ascii(strings)), False)
    if not pc.any(others).as_py():
        return strings
    with_digits = [to_ascii(text, rules) for text in strings.filter(others).to_pylist()]
    return pc.replace_with_mask(strings, others, pa.array(with_digits, pa.string()))


def _replace(strings: pa.Array, rules: Iterable[Rule]) -> pa.Array:
    for pattern, replacement in rules:
        strings = pc.replace_substring_regex(strings, pattern.pattern, replacement)
    return strings
