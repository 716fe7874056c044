"""Which encoding a string is in, found by looking at its first bytes."""

import codecs
import re
import unicodedata

import charset_normalizer

UTF8 = "utf-8"
_MARKS = {
    codecs.BOM_UTF8: UTF8,
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is the beginning of this one
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WESTERN = "cp1252"  # Windows' superset of Latin-1
_OTHERS = [  # the more usual first: short strings often leave a choice
    *("gb18030", "cp932", "big5", "cp949", "euc_jp", "cp1251", "cp1250", "cp1253", "cp1256", "cp1255"),
    *("koi8_r", "cp866", "iso8859_2", "iso8859_5", "cp850", "cp874"),
]
_MAX_WORDS = 5000
_MAX_RUN, _WESTERN_SHARE = 2, 0.9  # in a Latin alphabet rarely more than two accented letters follow each other
_SIGNS = {"No", "Ps", "Sc", "Sk", "Sm", "So"}
_CONTROLS = bytes((*range(0x09), *range(0x0E, 0x20), 0x7F))
_MAX_CONTROLS = 0.01


def find_encoding(sample: bytes, is_whole: bool) -> str | None:
    """Return Python's name of the encoding, None if none fits.

    A byte order mark says it; else UTF-8 if it is valid, since other strings hardly ever are; else
    the most likely one for the words that have other letters than ASCII's.
    """
    marked = next((encoding for mark, encoding in _MARKS.items() if sample.startswith(mark)), None)
    lines = sample if is_whole else sample[: sample.rfind(b"\n") + 1]  # the last may end within a character
    return marked or _find_utf16(sample) or _find_utf8(lines) or _guess(lines)


def find_odd_line(sample: bytes) -> int | None:
    """Return the first line that is not UTF-8 where most lines with other letters than ASCII's are; counted from 1."""
    others = [(number, line) for number, line in enumerate(sample.split(b"\n"), 1) if not line.isascii()]
    odd = [number for number, line in others if _find_utf8(line) is None]
    return odd[0] if odd and len(odd) < len(others) / 2 else None


def decode(sample: bytes, encoding: str, is_whole: bool) -> str:
    """Decode the beginning of a string; raise UnicodeDecodeError, or LookupError if there is no such encoding."""
    "".encode(encoding)  # rejects codecs that aren't encodings of text
    text = codecs.getincrementaldecoder(encoding)().decode(sample, final=is_whole)
    return text.removeprefix("\ufeff")


def is_utf8(encoding: str) -> bool:
    """Return whether this is one of UTF-8's names; a byte order mark may precede it."""
    return codecs.lookup(encoding).name in (UTF8, "utf-8-sig")


def explain_encoding(location: str, encoding: str, better: str | None = None) -> str:
    """Return the sentence for a string that is in another encoding."""
    example = better or (_WESTERN if is_utf8(encoding) else UTF8)
    remedy = f'set `encoding` in the problem file, e.g. encoding = "{example}", or give --encoding'
    return f"{location} can't be read as {encoding}: {remedy}"


def is_text(sample: str) -> bool:
    """Return whether hardly any character is a control character, and none is NUL."""
    letters = sample.encode(errors="replace")
    controls = len(letters) - len(letters.translate(None, _CONTROLS))
    return b"\0" not in letters and controls <= _MAX_CONTROLS * len(sample)


def _find_utf16(sample: bytes) -> str | None:
    """Recognise UTF-16 without a mark by the zeros that are every other byte of ASCII's characters."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) / 20 or min(even, odd):
        return None
    return "utf-16-le" if odd else "utf-16-be"


def _find_utf8(lines: bytes) -> str | None:
    try:
        lines.decode(UTF8)
    except UnicodeDecodeError:
        return None
    return UTF8


def _guess(lines: bytes) -> str | None:
    # Only separators that are never a part of a character of several bytes.
    words = dict.fromkeys(word for word in re.split(rb'[\s,;"]+', lines) if not word.isascii())
    evidence = b" ".join(list(words)[:_MAX_WORDS])
    if _is_western(evidence):
        return _WESTERN
    matches = charset_normalizer.from_bytes(evidence, cp_isolation=_OTHERS)
    ranked = sorted(
        (_count_signs(str(match)), match.chaos, -match.coherence, _OTHERS.index(match.encoding)) for match in matches
    )
    return _OTHERS[ranked[0][-1]] if ranked else None


def _is_western(evidence: bytes) -> bool:
    """Return whether accented letters stand alone or in pairs, and none is a sign in Windows-1252."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", evidence)]
    if sum(length <= _MAX_RUN for length in runs) < _WESTERN_SHARE * len(runs):
        return False
    try:
        return not _count_signs(evidence.decode(_WESTERN))
    except UnicodeDecodeError:
        return False


def _count_signs(text: str) -> int:
    """Count the signs between two letters, such as the ³ of Bia³ystok: the mark of a wrong code page."""
    between = re.findall(r"(?<=[^\W\d_])[^\x00-\x7f](?=[^\W\d_])", text)
    return sum(unicodedata.category(sign) in _SIGNS for sign in between)
