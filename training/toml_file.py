"""A TOML file as editors leave it: with a byte order mark, in another encoding, or no text at all."""

import codecs
import tomllib
from pathlib import Path
from typing import Any

from ekiben.contract.errors import UserError

MAX_BYTES = 16 * 2**20  # a problem of 2,000 columns and 10,000 classes has less than 1 MB
ADVICE = "save it as UTF-8"


class InvalidToml(UserError):
    """The file can't be read or is not TOML."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file says; raise InvalidToml naming the line that is wrong."""
    try:
        return tomllib.loads(decode(path, _read(path)))
    except RecursionError:
        raise InvalidToml(f"{path} is not valid TOML: it is nested too deeply") from None
    except ValueError as error:  # also a number of too many digits
        raise InvalidToml(f"{path} is not valid TOML: {error}") from None


def decode(path: Path, content: bytes) -> str:
    """Return the text of a file in UTF-8, with a byte order mark or without; raise InvalidToml for any other."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise InvalidToml(f"{path} is in UTF-32: {ADVICE}")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _is_utf16(content[:100]):
        raise InvalidToml(f"{path} is in UTF-16, as PowerShell's > writes: {ADVICE} (Set-Content -Encoding utf8)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        found = content[error.start]
        raise InvalidToml(f"{path} is not in UTF-8 (byte 0x{found:02x} in line {line:,}): {ADVICE}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidToml(f"{path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise InvalidToml(f"{path} is no problem file: it has more than {MAX_BYTES // 2**20} MB")
    return content


def _is_utf16(start: bytes) -> bool:
    """Return whether every other byte is 0, as in ASCII's characters of UTF-16 without a mark."""
    return len(start) > 1 and (not any(start[0::2]) or not any(start[1::2]))
