"""How a CSV file is written: its encoding and delimiter, found by looking at its beginning."""

import contextlib
import csv
import io
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

from ekiben.contract.errors import InvalidTable
from ekiben.training.problem import FileSource
from ekiben.training.sources.encoding import UTF8, decode, explain_encoding, find_encoding, is_text, is_utf8
from ekiben.training.sources.files import FORMATS, open_content, readable

_SAMPLE_BYTES = 1 << 22
_SAMPLE_ROWS = 1000
_DELIMITERS = ("\t", ";", "|", ",")  # the first of those that fit alike: commas stand in names and numbers too


@dataclass(frozen=True)
class CsvFormat:
    """What a reader has to know of a CSV file."""

    encoding: str
    delimiter: str
    header: tuple[str, ...]
    has_rows: bool
    notes: tuple[str, ...] = ()  # doubts about what was said of it


def find_csv_format(source: FileSource) -> CsvFormat:
    """Look at the beginning of a CSV file; what the source says of it is taken as said.

    Raise InvalidTable if it is not text, is empty, or is not written as the source says.
    """
    with readable(source.path), open_content(source.path) as content:
        sample = content.read(_SAMPLE_BYTES)
    is_whole = len(sample) < _SAMPLE_BYTES
    found = find_encoding(sample, is_whole)
    encoding, text = _decode(source, sample, is_whole, found)
    rows = {delimiter: _parse(text, delimiter, is_whole) for delimiter in (*_DELIMITERS, *_declared(source))}
    best = max(_DELIMITERS, key=lambda each: _share_alike(rows[each]))
    delimiter = source.delimiter or (best if _share_alike(rows[best]) else ",")
    header, *others = rows[delimiter] or [[]]
    if not header:
        raise InvalidTable(f"{source.path} is empty: its first line must name the columns")
    if len(header) == 1 and _share_alike(rows[best]):
        there = f"{source.path} has only one column when split at {json.dumps(delimiter)}"
        raise InvalidTable(
            f"{there}: set `delimiter` in the problem file, e.g. delimiter = {json.dumps(best)}, or give --delimiter"
        )
    notes = _doubt_encoding(source.path, encoding, found, sample)
    return CsvFormat(encoding, delimiter, tuple(header), bool(others) or not is_whole, notes)


def _declared(source: FileSource) -> tuple[str, ...]:
    """Return the delimiter that the source names, if it does and if it can be one."""
    if source.delimiter is None:
        return ()
    if not source.delimiter.isascii() or source.delimiter in '"\r\n\0':
        raise InvalidTable(f"{source.path} can't be split at {source.delimiter!r}: a delimiter is an ASCII character")
    return (source.delimiter,)


def _decode(source: FileSource, sample: bytes, is_whole: bool, found: str | None) -> tuple[str, str]:
    """Return the encoding and the sample decoded."""
    encoding = source.encoding or found
    if not encoding:
        raise InvalidTable(
            f"{source.path} is in no known encoding: set `encoding` in the problem file, or give --encoding; {FORMATS}"
        )
    try:
        text = decode(sample, encoding, is_whole)
    except LookupError:
        raise InvalidTable(f'{source.path}: there is no encoding {encoding!r}, but "utf-8" or "cp1252"') from None
    except UnicodeError:
        raise InvalidTable(explain_encoding(str(source.path), encoding, found)) from None
    if not is_text(text):
        raise InvalidTable(f"{source.path} is not text, read as {encoding}: {FORMATS}")
    return encoding, text


def _doubt_encoding(path: Path, encoding: str, found: str | None, sample: bytes) -> tuple[str, ...]:
    """Return a sentence if a file is read as something else that is UTF-8 by its letters: it would read as MÃ¼ller."""
    if found != UTF8 or is_utf8(encoding) or sample.isascii():
        return ()
    return (f"{path} is valid UTF-8 but read as {encoding}, as was said: if letters look wrong, say utf-8",)


def _parse(text: str, delimiter: str, is_whole: bool) -> list[list[str]]:
    """Return the first rows, without the last one where it may be cut off."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # an endless field: the rows before it are enough
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows.extend(row for row in itertools.islice(reader, _SAMPLE_ROWS) if row)
    return rows if is_whole or len(rows) < 2 else rows[:-1]


def _share_alike(rows: list[list[str]]) -> float:
    """Return the share of rows with as many values as the header has; 0 if it has only one."""
    if not rows or len(rows[0]) == 1:
        return 0.0
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)
