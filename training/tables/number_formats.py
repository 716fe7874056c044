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

_PLAIN = "^[0-9.,+-]*$"  # nothing stands beside such a number but a sign, which may be behind it
_SIGN_BEHIND = "[0-9.,]-$"


def read_numbers(strings: pa.Array, spelling: Spelling) -> pa.Array:
    """Return strings without blanks around them as float64, null where one is not a number that float32 can hold."""
    with suppress(pa.ArrowInvalid):
        return hold_in_float32(_cast(strings, spelling.decimal))
    if spelling.format:
        return read_distinct(strings, partial(read_number, spelling=spelling), pa.float64())
    rules = number_rules(spelling)
    strings = _to_ascii(strings, rules)
    if not pc.all(pc.match_substring_regex(strings, _PLAIN)).as_py() or _any(strings, _SIGN_BEHIND):
        strings = _replace(strings, rules.beside)
    strings = pc.if_else(pc.match_substring_regex(strings, rules.grammar.pattern), strings, None)
    return hold_in_float32(_replace(strings, rules.marks).cast(pa.float64()))


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


def _any(strings: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(strings, pattern)).as_py())
