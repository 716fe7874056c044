"""How a CSV file is written: its encoding, delimiter and quotes, found by looking at its beginning."""

import contextlib
import csv
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ekiben.contract.errors import InvalidTable
from ekiben.contract.spellings.quotes import has_value_in_quotes
from ekiben.training.source_config import FileSource
from ekiben.training.sources.csv.encoding import (
    UTF8,
    decode,
    explain_encoding,
    find_encoding,
    find_odd_line,
    is_text,
    is_utf8,
)
from ekiben.training.sources.csv.parser import BACKSLASH, DOUBLED, UNQUOTED, Broken, Quoting, RowParser
from ekiben.training.sources.csv.prologue import split_prologue
from ekiben.training.sources.duck import bounded
from ekiben.training.sources.files import FORMATS, open_content, readable

_SAMPLE_BYTES = 1 << 22
_SAMPLE_ROWS = 1000
_DELIMITERS = ("\t", ";", "|", ",")  # the first of those that fit alike: commas stand in names and numbers too


@dataclass(frozen=True)
class CsvFormat:
    """What a reader has to know of a CSV file."""

    encoding: str
    delimiter: str
    quoting: Quoting
    header: tuple[str, ...]
    prologue: str  # what stands before the header
    trusts_quotes: bool  # somebody said what quotes values
    doubts_quotes: bool  # they are read as a part of the values, though nobody said so
    doubts_encoding: bool  # it is UTF-8 by its letters, but not by what was said
    notes: tuple[str, ...]  # what of it is not read, and doubts


def find_csv_format(source: FileSource) -> CsvFormat:
    """Look at the beginning of a CSV file; what the source says of it is taken as said.

    Raise InvalidTable if it is not text, is empty, or is not written as the source says.
    """
    with readable(source.path), open_content(source.path) as content:
        sample = content.read(_SAMPLE_BYTES)
    is_whole = len(sample) < _SAMPLE_BYTES
    found = find_encoding(sample, is_whole)
    if (
        source.encoding is None
        and not (found or "").startswith("utf")
        and (odd := find_odd_line(sample[: sample.rfind(b"\n") + 1]))
    ):
        there = f"{source.path}: line {odd:,} is not UTF-8, as most others are"
        raise InvalidTable(f"{there}: mend it, or give --encoding to read all of them in another")
    encoding, text = _decode(source, sample, is_whole, found)
    declared = _declared(source)
    prologue = split_prologue(text, (*declared, *_DELIMITERS))
    text = text[len(prologue.text) :]
    candidates = dict.fromkeys((*_DELIMITERS, prologue.delimiter or ",", *declared))
    rows = {each: _parse(text, each, is_whole) if each in text else [] for each in candidates}
    best = max(_DELIMITERS, key=lambda each: _share_alike(rows[each]))
    delimiter = source.delimiter or prologue.delimiter or (best if _share_alike(rows[best]) else ",")
    with bounded(source.path):
        quoting = _find_quoting(source, text, delimiter, len((rows[delimiter] or [[""]])[0]), is_whole)
    (header, *_) = _parse(text, delimiter, is_whole, quoting) or [[]]
    if not header and text.strip():
        raise InvalidTable(f"{source.path} has a first line of more than {_SAMPLE_BYTES >> 20} MB: it is not a table")
    if not header:
        raise InvalidTable(f"{source.path} is empty: its first line must name the columns")
    if len(header) == 1 and _share_alike(rows[best]):
        there = f"{source.path} has only one column when split at {json.dumps(delimiter)}"
        raise InvalidTable(
            f"{there}: set `delimiter` in the problem file, e.g. delimiter = {json.dumps(best)}, or give --delimiter"
        )
    doubts_quotes = quoting == UNQUOTED and source.quote is None
    doubts_encoding = found == UTF8 and not is_utf8(encoding) and not sample.isascii()
    notes = (*prologue.notes, *_doubt(source.path, encoding, doubts_quotes, doubts_encoding))
    return CsvFormat(
        encoding=encoding,
        delimiter=delimiter,
        quoting=quoting,
        header=tuple(header),
        prologue=prologue.text,
        trusts_quotes=source.quote is not None,
        doubts_quotes=doubts_quotes,
        doubts_encoding=doubts_encoding,
        notes=notes,
    )


def _doubt(path: Path, encoding: str, quotes: bool, letters: bool) -> Iterator[str]:
    """Yield a sentence for each doubt; UTF-8 read as something else reads as MÃ¼ller."""
    if quotes:
        yield "quotes are read as a part of the values, such as inches: one is opened and never closed"
    if letters:
        yield f"{path} is valid UTF-8 but read as {encoding}, as was said: if letters look wrong, say utf-8"


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


def _find_quoting(source: FileSource, text: str, delimiter: str, columns: int, is_whole: bool) -> Quoting:
    """Return what the source says of quotes, or the first way to write them by which all rows can be read."""
    if source.quote is not None or source.escape is not None:
        quote = '"' if source.quote is None else source.quote
        return Quoting(quote, source.escape or quote)
    if '"' not in text:
        return DOUBLED
    lines = text if is_whole else text[: text.rfind("\n") + 1]
    ways = [DOUBLED]
    if BACKSLASH.escape + BACKSLASH.quote in lines:
        ways.append(BACKSLASH)
    if not has_value_in_quotes(lines, delimiter):
        ways.append(UNQUOTED)
    return next((way for way in ways if _can_read(lines, delimiter, columns, way, is_whole)), DOUBLED)


def _can_read(lines: str, delimiter: str, columns: int, quoting: Quoting, is_whole: bool) -> bool:
    """Return whether all rows can be read; what the look cuts off within quotes may not be long."""
    cuts = [len(lines)] if is_whole else [len(lines), len(lines) // 8 * 7, len(lines) // 2]
    with RowParser(delimiter, quoting, columns) as parser:
        try:
            texts = (lines[:cut] if is_whole else lines[: lines.rfind("\n", 0, cut) + 1] for cut in cuts)
            return any(parser.parse(text.encode(), [0]).is_complete for text in texts)
        except Broken:
            return False


def _parse(text: str, delimiter: str, is_whole: bool, quoting: Quoting = DOUBLED) -> list[list[str]]:
    """Return the first rows, without the last one where it may be cut off."""
    rows: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # an endless field: the rows before it are enough
        reader = quoting.read(io.StringIO(text, newline=""), delimiter)
        rows.extend(row for row in itertools.islice(reader, _SAMPLE_ROWS) if row)
    return rows if is_whole or len(rows) < 2 else rows[:-1]


def _share_alike(rows: list[list[str]]) -> float:
    """Return the share of rows with as many values as the header has; 0 if it has only one."""
    if not rows or len(rows[0]) == 1:
        return 0.0
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)
