"""Reads numbers as people write them: `1,234.5`, `(5)`, `5-`, `$5`, `12 %`, `1 234`, `۱۲۳٫۵`, `CHF 1'200.-`.

What is written beside the digits is taken off by rules, pairs of a regular expression and what replaces it, and the
rest has to match the grammar. They are in the syntax that Python's `re` and RE2 share, so that training reads
whole columns by the very rules by which the service reads a cell.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ekiben.contract.spellings.durations import read_duration
from ekiben.contract.spellings.spelling import BLANKS, Spelling

OTHER = {".": ",", ",": "."}  # what parts thousands where this parts the decimals
APOSTROPHES = "'’‘´`ʼ＇"
CURRENCIES = (  # words that stand beside amounts; those with letters that make common words are left out
    *("EUR", "USD", "GBP", "CHF", "JPY", "CNY", "RMB", "CAD", "AUD", "NZD", "SEK", "NOK", "DKK", "ISK", "PLN", "CZK"),
    *("HUF", "RON", "BGN", "HRK", "RSD", "RUB", "UAH", "KZT", "ILS", "AED", "SAR", "QAR", "KWD", "OMR", "JOD", "EGP"),
    *("MAD", "TND", "DZD", "ZAR", "NGN", "KES", "GHS", "INR", "PKR", "BDT", "LKR", "NPR", "IRR", "SGD", "HKD", "TWD"),
    *("KRW", "THB", "MYR", "IDR", "PHP", "VND", "BRL", "MXN", "ARS", "CLP", "COP", "UYU", "TRY", "BTC"),
    *(r"kr\.?", "zł", "Kč", r"Fr\.", r"SFr\.", r"Rs\.?", "Ft", r"руб\.?", "р\\.", "₺", "TL"),
)
MINUSES = "‐‑‒–—―−﹣－"
CURRENCY_SIGNS = "¢£¤¥֏؋߾߿৲৳৻૱௹฿៛꠸﷼﹩＄￠￡￥￦" + "".join(map(chr, range(0x20A0, 0x20C2)))
NO_INK = "\u200b\u2060\ufeff\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # and no width
# Characters, and the one that stands for them all; the first ASCII_SAME pairs have ASCII characters too.
ASCII_SAME = 2
SAME = (
    *((BLANKS, " "), (APOSTROPHES, "'")),
    *((MINUSES, "-"), ("＋﹢", "+"), ("٪％﹪", "%"), (CURRENCY_SIGNS, "$"), (NO_INK, "")),
)
NUMERIC = frozenset("0123456789.,+-eE")  # what a number may be made of
FLOAT32_LIMIT = (2 - 2.0**-24) * 2.0**127  # from here on float32 has only infinity


Rule = tuple[re.Pattern[str], str]


@dataclass(frozen=True)
class NumberRules:
    """How the numbers of one spelling are read."""

    plain: re.Pattern[str]  # what most are: only `marks` are then to be replaced
    characters: tuple[Rule, ...]  # make ASCII of other scripts' signs
    table: Mapping[int, str]  # the same, for `str.translate`
    beside: tuple[Rule, ...]  # replace what stands beside the digits: `-5` for `(5)`
    grammar: re.Pattern[str]  # of what is left
    marks: tuple[tuple[str, str], ...]  # replaced by the others they make of that what `float` reads


@lru_cache(maxsize=1024)
def number_rules(spelling: Spelling) -> NumberRules:
    """Return the rules of a column."""
    point = re.escape(spelling.decimal)
    groupings = _list_groupings(spelling)
    grouped = "".join(f"|{_grouped(mark)}" for mark in groupings)
    exponent = "(?:[eE][+-]?[0-9]+)?"
    same = (*SAME, ("٫", spelling.decimal), ("٬", OTHER[spelling.decimal]))
    return NumberRules(
        plain=re.compile(rf"[+-]?(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+){exponent}"),
        characters=tuple((re.compile(f"[{re.escape(letters)}]"), one) for letters, one in same),
        table={ord(letter): one for letters, one in same for letter in letters},
        beside=_list_beside(spelling.unit),
        grammar=re.compile(rf"^[+-]?(?:(?:[0-9]+{grouped})(?:{point}[0-9]*)?|{point}[0-9]+){exponent}$"),
        marks=(*((mark, "") for mark in groupings), (spelling.decimal, ".")),
    )


def read_number(text: str, spelling: Spelling) -> float | None:
    """Return the number that a string without blanks around it stands for; None if it is none that float32 can hold.

    With the format "duration" it may be one, and is a number of seconds.
    """
    rules = number_rules(spelling)
    if rules.plain.fullmatch(text):
        value = float(text.replace(spelling.decimal, "."))
    elif spelling.format and (seconds := read_duration(text)) is not None:
        value = seconds
    else:
        text = replace(to_ascii(text, rules), rules.beside)
        if not rules.grammar.match(text):
            return None
        for mark, replacement in rules.marks:
            text = text.replace(mark, replacement)
        value = float(text)
    return value if -FLOAT32_LIMIT < value < FLOAT32_LIMIT else None


@lru_cache(maxsize=1024)
def marker_numbers(spelling: Spelling) -> frozenset[float]:
    """Return the numbers that stand for missing in a column."""
    numbers = (read_number(text, spelling) for text in spelling.null)
    return frozenset(number for number in numbers if number is not None)


def to_ascii(text: str, rules: NumberRules) -> str:
    """Return a string with the digits and signs of all scripts as ASCII has them."""
    text = text.translate(rules.table)
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(letter)) if letter.isdecimal() else letter for letter in text)


def replace(text: str, rules: Iterable[Rule]) -> str:
    """Return a string after all rules, one after the other."""
    for pattern, replacement in rules:
        text = pattern.sub(replacement, text)
    return text


def _list_groupings(spelling: Spelling) -> tuple[str, ...]:
    if spelling.grouping is None:
        return (OTHER[spelling.decimal], " ", "'", "_")
    if spelling.grouping.isspace():
        return (" ",)
    return ("'",) if spelling.grouping in APOSTROPHES and spelling.grouping else tuple(spelling.grouping)


def _grouped(mark: str) -> str:
    """Return the digits of thousands, and also of lakhs and crores, with marks between them."""
    part = re.escape(mark)
    lakhs = rf"|[1-9][0-9]?(?:{part}[0-9]{{2}})+{part}[0-9]{{3}}" if mark == "," else ""
    return rf"[1-9][0-9]{{0,2}}(?:{part}[0-9]{{3}})+{lakhs}"


def _list_beside(unit: str) -> tuple[Rule, ...]:
    currency = rf"(?:[A-Z]{{0,2}}\$|{'|'.join(CURRENCIES)})"
    units = (re.escape(unit),) if set(unit) - NUMERIC else ()
    behind = "|".join((currency, "%", *units))
    rules = (
        (r"^([^()0-9]*)\(([^()]*)\)([^()0-9]*)$", r"-\1\2\3"),  # (5), as accountants write −5
        (rf"^([+-]?) *{currency} *", r"\1"),
        (rf" *(?:{behind}) *(-?)$", r"\1"),
        (r"([0-9][.,])--?$", r"\1"),  # 5.- are five francs
        (r"^([0-9.,]|[0-9.,].*[0-9.,]) *-$", r"-\1"),  # 5-
        (r"^([+-]) +", r"\1"),
    )
    return tuple((re.compile(pattern), replacement) for pattern, replacement in rules)
