"""What callers send, made into exactly the fields of a schema: optional ones are filled, unknown ones left out.

An unknown field is left out only where nothing is missing that it may be. A name too many beside a required one that is
absent, or beside an absent optional one that is spelt nearly so, is most likely that one, misspelt: an answer without
it would be wrong without a word. So such rows stay as they are, and the checks name what is wrong with them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ekiben.contract.columns import Columns, Rows
from ekiben.contract.feature import Value
from ekiben.contract.misspelling import Misspellings
from ekiben.contract.schema import Schema
from ekiben.contract.validation import MAX_SHOWN_CHARACTERS

MAX_NAMED = 10  # fields that an answer names as left out
REMEMBERED = 64  # combinations of fields that callers send
Ignored = tuple[str, ...]  # names, at most one more than MAX_NAMED


@dataclass(frozen=True, slots=True)
class _Fit:
    """What has to be done to rows that have certain fields."""

    absent: tuple[str, ...]
    unknown: tuple[str, ...]


class FieldFitter:
    """Fits what one schema's callers send."""

    def __init__(self, schema: Schema) -> None:
        self._names = schema.names
        self._known = frozenset(schema.names)
        self._defaults: dict[str, Value] = {one.name: one.default for one in schema.features if one.optional}
        self.optional = self._defaults.keys()
        self.required = self._known - self.optional
        self._remembered: tuple[dict[tuple[str, ...], _Fit], ...] = ({}, {})  # by `ignore`

    @property
    def fills(self) -> bool:
        """Whether a caller may leave anything out."""
        return bool(self._defaults)

    def fit(self, rows: Rows, ignore: bool) -> tuple[Rows, Ignored]:
        """Return the rows with all fields, and the unknown ones left out; `ignore`: these are left out at all."""
        if isinstance(rows, Columns):
            return (rows, ()) if rows.names == self._names else self._fit_columns(rows, ignore)
        width, optional = len(self._names), self.optional
        for row in rows:
            if type(row) is dict and (len(row) != width or not row.keys() >= optional):
                return self._fit_rows(rows, ignore)
        return rows, ()

    def ignores(self, names: Iterable[str]) -> bool:
        """Return whether rows of these fields can be answered, if what is unknown of them is left out."""
        return self._judge(names, True, Misspellings(self.optional)) is not None

    def _find(self, names: tuple[str, ...], ignore: bool, misspellings: Misspellings) -> _Fit | None:
        """Return the same as `_judge`, which takes 25 µs, from the last request of these fields."""
        remembered = self._remembered[ignore]
        fit = remembered.get(names)
        if fit is None:
            fit = self._judge(names, ignore, misspellings)
            room = len(remembered) < REMEMBERED and len(names) <= 2 * len(self._names)
            # What was not all compared would let others' misspellings pass, too.
            if fit is not None and room and misspellings.complete and not any(map(_is_long, fit.unknown)):
                remembered[names] = fit
        return fit

    def _judge(self, names: Iterable[str], ignore: bool, misspellings: Misspellings) -> _Fit | None:
        """Return what is to be done, or None if something is wrong with the fields."""
        given = dict.fromkeys(names)
        if not given.keys() >= self.required:
            return None
        absent = tuple(name for name in self._defaults if name not in given)
        unknown = tuple(name for name in given if name not in self._known)
        if unknown and (not ignore or misspellings.find(unknown, absent)):
            return None
        return _Fit(absent, unknown)

    def _fit_columns(self, columns: Columns, ignore: bool) -> tuple[Columns, Ignored]:
        fit = self._find(columns.names, ignore, Misspellings(self.optional))
        if fit is None:
            return columns, ()
        by_name: dict[str, Any] = dict(zip(columns.names, columns.values, strict=True))
        by_name |= {name: [self._defaults[name]] * columns.rows for name in fit.absent}
        values = [by_name[name] for name in self._names]
        return Columns(self._names, values, columns.rows), fit.unknown[: MAX_NAMED + 1]

    def _fit_rows(self, rows: list[Any], ignore: bool) -> tuple[list[Any], Ignored]:
        fits: dict[tuple[str, ...], _Fit | None] = {}
        ignored: dict[str, None] = {}
        kept: list[Any] = []
        misspellings = Misspellings(self.optional)
        for row in rows:
            if type(row) is dict:
                names = tuple(row)
                if names not in fits:
                    fits[names] = self._find(names, ignore, misspellings)
                fit = fits[names]
                if fit is not None and (fit.absent or fit.unknown):
                    row = self._defaults | row
                    for name in fit.unknown:
                        del row[name]
                    if len(ignored) <= MAX_NAMED:
                        ignored.update(dict.fromkeys(fit.unknown[: MAX_NAMED + 1]))
            kept.append(row)
        return kept, tuple(ignored)[: MAX_NAMED + 1]


def _is_long(name: str) -> bool:
    """Return whether a name is none that anybody gives a field: it may be as long as a body."""
    return len(name) > MAX_SHOWN_CHARACTERS
