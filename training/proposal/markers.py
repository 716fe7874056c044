"""What a column writes for missing, besides what every table does."""

from ekiben.training.proposal.column import Column
from ekiben.training.proposal.reading import Reading

KNOWN = frozenset(  # in small letters
    {
        *("-", "--", "---", "–", "—", ".", "..", "...", "…", "*", "**", "/", "_", "!", "??"),
        *("n.a.", "n.a", "na.", "n. a.", "n/a.", "na", "n/a", "n.d.", "n.d", "nd", "n.v.", "n.b.", "k.a.", "k. a."),
        *("k.a", "keine angabe", "unknown", "unk", "unbekannt", "inconnu", "desconocido", "missing", "none", "null"),
        *("nil", "void", "undefined", "not available", "not applicable", "no data", "nodata", "tbd", "tba", "empty"),
        *("(null)", "(none)", "(blank)", "[null]", "\\n", "-nan", "nan", "#div/0!", "#value!", "#ref!", "#num!"),
        *("#name?", "#null!", "#n/a", "na()", "nat"),
    }
)
FEW_VALUES = 20  # with fewer others a word may be one of several answers
REPEATED = 2  # rows with one word that is not known
MAX_SHARE = 0.5  # of the rows


def find_markers(column: Column, reading: Reading) -> tuple[str, ...]:
    """Return the strings that stand for missing, if that is all that doesn't fit a reading, or nothing."""
    if reading.fits or not column.is_text or reading.missed == column.values:
        return ()
    unknown = [text for text in reading.unparsed if text.lower() not in KNOWN]
    if len(unknown) > 1 or (unknown and not _is_marker(unknown[0], column, reading)):
        return ()
    return tuple(sorted(reading.unparsed))


def _is_marker(text: str, column: Column, reading: Reading) -> bool:
    rows = reading.unparsed[text]
    is_word = not any(letter.isdecimal() for letter in text)
    others = len(column.distinct) - len(reading.unparsed)
    is_number = reading.kind == "number"
    return is_number and is_word and REPEATED <= rows <= MAX_SHARE * column.values and others >= FEW_VALUES
