"""Files: whether they can be read, what they are by their first bytes, and what they hold decompressed."""

import bz2
import gzip
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.training.redaction import redact_uri

FORMATS = (
    "a table is a CSV file (.csv, .tsv, .txt, also in .gz, .zip, .bz2, .xz, .zst), Parquet, JSON, a spreadsheet, "
    "a Delta or Iceberg table, or a database URL"
)
_COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".zst")
_JSON = (".json", ".jsonl", ".ndjson")
_SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
_OTHERS = {
    ".numbers": "a spreadsheet of another kind",
    **dict.fromkeys((".feather", ".arrow", ".ipc"), "Arrow"),
    **dict.fromkeys((".pkl", ".pickle"), "a Python pickle"),
    **dict.fromkeys((".h5", ".hdf5"), "HDF5"),
    **dict.fromkeys((".dta", ".sav", ".sas7bdat", ".xpt", ".rds"), "a statistics package's file"),
    **dict.fromkeys((".xml", ".html"), "markup"),
    **dict.fromkeys((".tar", ".tgz", ".7z", ".rar"), "an archive of another kind"),
    ".orc": "ORC",
    ".avro": "Avro",
    ".pdf": "PDF",
}
_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
    b"\x28\xb5\x2f\xfd": lambda file: pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"),
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # with files and without
_PARQUET, _SQLITE = b"PAR1", b"SQLite format 3\0"


class Content:
    """What a file holds, decompressed."""

    def __init__(self, file: IO[bytes], stream: IO[bytes]) -> None:
        self._file, self._stream = file, stream
        self._size = os.fstat(file.fileno()).st_size

    @property
    def share(self) -> float:
        """How much of the file was read, from 0 to 1."""
        return min(1.0, self._file.tell() / max(1, self._size))

    def read(self, size: int) -> bytes:
        return self._stream.read(size)


def check_file(path: Path) -> None:
    """Raise InvalidTable if there is no such file or folder, or if its name says what we don't read."""
    with readable(path):
        status = path.stat()
    other = _OTHERS.get(_ending(path))
    if stat.S_ISDIR(status.st_mode):
        return
    if other:
        raise InvalidTable(f"{path} is {other}: {FORMATS}")
    if not stat.S_ISREG(status.st_mode):
        raise InvalidTable(f"{path} is neither a file nor a folder: {FORMATS}")
    if not status.st_size:
        raise InvalidTable(f"{path} is empty: it has 0 bytes")


def is_parquet(path: Path) -> bool:
    """Return whether this is a folder or a Parquet file; raise InvalidTable if it is a database."""
    if path.is_dir():
        return True
    with readable(path), path.open("rb") as file:
        start = file.read(len(_SQLITE))
    if start == _SQLITE:
        raise InvalidTable(f"{path} is an SQLite database: give sqlite:///{path} and a query")
    return start.startswith(_PARQUET)


def is_json(path: Path) -> bool:
    """Return whether the file's name says JSON."""
    return _ending(path) in _JSON


def is_spreadsheet(path: Path) -> bool:
    """Return whether the file's name says that it is a spreadsheet."""
    return path.suffix.lower() in _SPREADSHEETS


def is_compressed(path: Path) -> bool:
    """Return whether the file's first bytes say that it is compressed."""
    with path.open("rb") as file:
        return file.read(8).startswith((*_OPENERS, *_ZIP))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what can go wrong with a file into InvalidTable."""
    try:
        yield
    except FileNotFoundError:
        raise InvalidTable(f"there is no file or folder {redact_uri(str(path))}") from None
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or f"it is damaged: {error}"
        raise InvalidTable(f"{redact_uri(str(path))} can't be read: {reason}") from None


@contextmanager
def open_content(path: Path) -> Iterator[Content]:
    """Open a file, whatever it is compressed with."""
    with path.open("rb") as file:
        before = _describe_state(file)
        start = file.read(8)
        file.seek(0)
        with _decompress(path, file, start) as stream:
            yield Content(file, stream)
            if _describe_state(file) != before:
                raise InvalidTable(f"{path} was changed while it was read: read it again when it is complete")


def _ending(path: Path) -> str:
    """Return the ending of the name, without that of a compressed file."""
    return Path(path.stem if path.suffix.lower() in _COMPRESSED else path.name).suffix.lower()


def _describe_state(file: IO[bytes]) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


@contextmanager
def _decompress(path: Path, file: IO[bytes], start: bytes) -> Iterator[IO[bytes]]:
    opener = next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)
    if opener:
        with opener(file) as stream:
            yield stream
    elif start.startswith(_ZIP):
        with zipfile.ZipFile(file) as archive, archive.open(_only_member(path, archive)) as stream:
            yield stream
    else:
        yield file


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    files = (info for info in archive.infolist() if not info.is_dir())
    members = [
        info for info in files if not re.search(r"^__MACOSX/|(?:^|/)\.[^/]*$", info.filename)
    ]  # the Finder's notes
    if len(members) != 1:
        raise InvalidTable(f"{path} holds {len(members)} files: a .zip must hold one, the CSV file")
    if members[0].flag_bits & 1:
        raise InvalidTable(f"{path} is encrypted: unpack it first")
    return members[0]
