"""Columns that are no feature's: left out where other servers leave them out, and named in a header of the answer.

Only where every feature is there besides. A name too many beside one that is missing is most likely that one, misspelt,
and an answer without it would be wrong without a word: that stays an error, which names both.
"""

from typing import Any
from urllib.parse import quote

from ekiben.contract.columns import Columns, Rows
from ekiben.contract.schema import Schema
from ekiben.service.http.messages import Header

IGNORED_HEADER = b"x-ignored-columns"
MAX_NAMED, MAX_CHARACTERS = 10, 32  # in the header, of a name: 4 KB at most, which proxies put up with
PLAIN = "!#$()*./:;=?@[]^_`{|}~"  # besides letters and digits; not what ends a name or a line, or begins markup
Ignored = tuple[str, ...]  # names, at most one more than the header has


class ExtraColumns:
    """Drops what one schema's callers send too much of."""

    def __init__(self, schema: Schema) -> None:
        self._names = schema.names
        self._known = frozenset(schema.names)
        self._width = len(schema.names)

    def drop(self, rows: Rows) -> tuple[Rows, Ignored]:
        """Return the rows without the columns of no feature, and the names of these; rows that lack one stay as is."""
        if isinstance(rows, Columns):
            return self._drop_columns(rows) if len(rows.names) > self._width else (rows, ())
        for row in rows:
            if type(row) is dict and len(row) > self._width:
                return self._drop_fields(rows)
        return rows, ()

    def list_extra(self, names: list[str]) -> Ignored:
        """Return the first of the names that are no feature's, none unless every feature is among them."""
        if not self._known.issubset(names):
            return ()
        return tuple(name for name in names if name not in self._known)[: MAX_NAMED + 1]

    def _drop_columns(self, columns: Columns) -> tuple[Columns, Ignored]:
        ignored = self.list_extra(list(columns.names))
        if not ignored:
            return columns, ()
        by_name = dict(zip(columns.names, columns.values, strict=True))
        return Columns(self._names, [by_name[name] for name in self._names], columns.rows), ignored

    def _drop_fields(self, rows: list[Any]) -> tuple[list[Any], Ignored]:
        ignored: dict[str, None] = {}
        kept: list[Any] = []
        for row in rows:
            if type(row) is dict and len(row) > self._width and (extra := self.list_extra(list(row))):
                row = {name: row[name] for name in self._names}
                if len(ignored) <= MAX_NAMED:
                    ignored.update(dict.fromkeys(extra))
            kept.append(row)
        return kept, tuple(ignored)[: MAX_NAMED + 1]


def ignored_header(ignored: Ignored) -> tuple[Header, ...]:
    """Return the header that names what was left out of the rows, none if nothing was.

    Whatever the names hold, it is ASCII on one line: the rest is %-encoded UTF-8. A + stands for more than MAX_NAMED.
    """
    if not ignored:
        return ()
    named = [quote(_shorten(name), PLAIN, errors="replace") for name in ignored[:MAX_NAMED]]
    return ((IGNORED_HEADER, ", ".join([*named, "+"][: len(ignored)]).encode()),)


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_CHARACTERS else f"{name[:MAX_CHARACTERS]}…"
