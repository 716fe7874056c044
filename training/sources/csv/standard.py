"""CSV text to the letter of RFC 4180, which leaves nothing to doubt: Arrow splits it, at half of what DuckDB takes.

Where quotes open and close every value is told without reading one. Of such a text's quotes the first opens a value,
the second closes it, the third opens one, and so on; one that is written twice within a value closes and opens it
again. So it is enough to list the quotes: before each first of two there has to be the beginning of a value, and
behind each second the end of one, or in both places another quote. All that is written otherwise is DuckDB's.
"""

import codecs

import numpy as np
import pyarrow as pa
import pyarrow.csv


def read_standard(text: bytes, delimiter: str, quote: str, columns: list[str], wanted: list[str]) -> pa.Table | None:
    """Return the wanted columns of all rows as strings, the header too; None if the text is not to the letter.

    So are rows of as many values as there are columns, in UTF-8, all ended by the same newline, LF or CRLF.
    """
    if not (delimiter + quote).isascii() or not _has_one_newline(text) or not _has_plain_quotes(text, delimiter, quote):
        return None
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(text),
            pyarrow.csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=columns),
            pyarrow.csv.ParseOptions(delimiter=delimiter, quote_char=quote or False, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(
                include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None


def _has_one_newline(text: bytes) -> bool:
    """Return whether the text ends with the newline of all its lines; a mark at its beginning Arrow would leave out."""
    if not text.endswith(b"\n") or text.startswith(codecs.BOM_UTF8):
        return False
    return b"\r" not in text or text.count(b"\r\n") == text.count(b"\n") == text.count(b"\r")


def _has_plain_quotes(text: bytes, delimiter: str, quote: str) -> bool:
    """Return whether all quotes open a value at its beginning, close one at its end, or stand for one within."""
    if not quote or quote.encode() not in text:
        return True
    letters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(letters == ord(quote))
    is_edge = np.zeros(256, bool)
    is_edge[[ord(letter) for letter in (quote, delimiter, "\r", "\n")]] = True
    before, behind = letters[quotes[::2] - 1], letters[quotes[1::2] + 1]  # the text's last letter is a newline
    return len(quotes) % 2 == 0 and bool(is_edge[before].all() and is_edge[behind].all())
