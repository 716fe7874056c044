"""The lines of a CSV body and their cells, with quotes as the reader of tables takes them."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from itertools import islice

from ekiben.contract.spellings.quotes import has_swallowed, has_value_in_quotes, undo_escapes
from ekiben.contract.validation import show
from ekiben.service.errors import BadRequest

Line = list[str]
BLOCK_LINES = 256
LOOKED_AT = 2**20  # bytes that tell whether quotes are a part of the values
MAX_ROW = 2**19  # characters: splitting as many into cells holds Python's lock for 6 ms
_BLANK_BEHIND = re.compile(rb'" +(?:[,\r\n]|$)')
# A value in quotes with what closes it and blanks behind that, or up to the end of the line.
_QUOTED = re.compile(r'((?:^|,) *"(?:[^"]++|"")*+)("|\Z) *+')


class Quotes(Enum):
    """How quotes are written in a body; it is read by the first way in which all of it can be."""

    DOUBLED = auto()  # "say ""hi"""
    ESCAPED = auto()  # "say \"hi\""
    LITERAL = auto()  # 5" are inches


class BrokenRow(BadRequest):
    """A row of a body that can't be read, at least not with its quotes taken as they were."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


def list_other_quotes(body: bytes) -> list[Quotes]:
    """Return how else the quotes of a body may be meant, one that can't be read with doubled ones."""
    ways = [Quotes.ESCAPED] if b'\\"' in body else []
    if b'"' in body and not has_value_in_quotes(body[:LOOKED_AT].decode(errors="ignore"), ","):
        ways.append(Quotes.LITERAL)
    return ways


class BoundedText(Iterator[str]):
    """The lines of a text; raises BadRequest if a row, whose quotes may span lines, is too long.

    A generator within its reader would be a cycle, and a body that can't be read would stay in memory with it.
    """

    def __init__(self, body: bytes) -> None:
        self._text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig")  # newlines of all kinds are \n, in values too
        self._left = MAX_ROW  # characters of the row that is being read
        self._line = 0

    def begin_row(self) -> None:
        """Let the next row have as many characters as any."""
        self._left = MAX_ROW

    def __next__(self) -> str:
        text = self._text.readline(MAX_ROW + 1)
        if not text:
            raise StopIteration
        self._line += 1
        self._left -= len(text)
        if self._left < 0:
            index = f"line {self._line}"
            raise BadRequest(413, f"{index}: a row, with blank lines before it, has more than {MAX_ROW} characters")
        return text


class Lines(Iterator[Line]):
    """The cells of each line that is not empty; raises BadRequest if one can't be read."""

    def __init__(self, body: bytes, quotes: Quotes = Quotes.DOUBLED) -> None:
        if quotes is Quotes.ESCAPED:
            body = undo_escapes(body)
        self._text = text = BoundedText(body)
        quoted = quotes is not Quotes.LITERAL and b'"' in body
        self._may_swallow = quoted
        self._reader = csv.reader(
            drop_blanks(text) if quoted and _BLANK_BEHIND.search(body) else text,
            strict=True,
            skipinitialspace=True,  # `, "x, y"`, as in tables
            quoting=csv.QUOTE_NONE if quotes is Quotes.LITERAL else csv.QUOTE_MINIMAL,
        )

    def __next__(self) -> Line:
        self._text.begin_row()
        try:
            return next(line for line in self._reader if line)
        except StopIteration:
            raise
        except csv.Error as error:
            raise BrokenRow(f"the CSV body can't be read in line {self._reader.line_num}: {error}") from None

    def take(self, records: Iterator[Line], width: int, named: bool) -> list[Line]:
        """Return the next lines, some hundreds; raise BrokenRow naming the one that has not so many cells."""
        block = []
        for record in islice(records, BLOCK_LINES):
            if len(record) != width:
                where = "one for each name in the header" if named else "in the order of the features"
                index = f"line {self._reader.line_num}"
                raise BrokenRow(f"{index}: expected {width} cells, {where}, got {len(record)}")
            if self._may_swallow:
                self._check_swallowed(record)
            block.append(record)
        return block

    def _check_swallowed(self, record: Sequence[str]) -> None:
        for place, value in enumerate(record):
            if "\n" in value and value.count(",") >= len(record) - 1:
                others = {other: text for other, text in enumerate(record) if other != place}
                if has_swallowed(value, place, others, len(record), ","):
                    opened = f"a quote is opened before {show(value)} and closed only after what look like rows"
                    index = f"line {self._reader.line_num}"
                    raise BadRequest(400, f"{index}: {opened}; if they are a text, send it as JSON")


def drop_blanks(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines without the blanks behind a closing quote, which Python's parser takes for an error.

    A value may span lines: one that begins within it is looked at as if its quote were opened there.
    """
    is_open = False
    for line in lines:
        if is_open or '"' in line:
            matches = list(_QUOTED.finditer('"' + line if is_open else line))
            text = _QUOTED.sub(r"\1\2", '"' + line if is_open else line)
            line = text[1:] if is_open else text
            is_open = bool(matches) and not matches[-1][2]
        yield line
