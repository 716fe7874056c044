"""A folder of files that are one table: which of them are read, and what the folders' names say of their rows."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

import pyarrow as pa

from ekiben.contract.errors import InvalidTable
from ekiben.training.sources.files import readable
from ekiben.training.wording import count

_SUFFIXES = (".parquet", ".pq")
_SHOWN = 3  # files that a note names
_MISSING = "__HIVE_DEFAULT_PARTITION__"
_WHOLE_NUMBER = re.compile(r"0|-?[1-9]\d{0,17}")  # 01001 is a code and no number


@dataclass(frozen=True)
class Folder:
    """The files below a folder, in the order of their names."""

    files: tuple[Path, ...]
    keys: tuple[dict[str, str | None], ...]  # of each file: its folders' names, such as year=2024
    notes: tuple[str, ...]

    def type_of(self, key: str) -> pa.DataType:
        """Return int64 if all values of a key are whole numbers as one writes them, else string."""
        values = [keys[key] for keys in self.keys if keys[key] is not None]
        is_number = bool(values) and all(_WHOLE_NUMBER.fullmatch(value or "") for value in values)
        return pa.int64() if is_number else pa.string()


def list_folder(folder: Path) -> Folder:
    """Find the Parquet files below a folder, behind links too; names that begin with . or _ are other programs' notes.

    Raise InvalidTable if there are none, or if their folders' keys differ.
    """
    with readable(folder):
        found = sorted(_walk(folder))
    files = tuple(path for path in found if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise InvalidTable(
            f"{folder} is a folder without Parquet files: name a CSV file, or a folder of .parquet files"
        )
    keys = tuple(_read_keys(path.relative_to(folder).parts[:-1]) for path in files)
    for path, its in zip(files, keys, strict=True):
        differing = sorted(its.keys() ^ keys[0].keys())
        if differing:
            has, lacks = (path, files[0]) if differing[0] in its else (files[0], path)
            raise InvalidTable(
                f"{has} is in a folder `{differing[0]}=…` and {lacks} is not: a folder must hold one table"
            )
    return Folder(files, keys, _describe([path for path in found if path.suffix.lower() not in _SUFFIXES]))


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below; a link to a folder that it is in itself is not followed."""
    for index, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        here = os.path.realpath(index)
        folders[:] = [
            name
            for name in folders
            if name[0] not in "._" and not _contains(os.path.realpath(os.path.join(index, name)), here)
        ]
        yield from (Path(index, name) for name in names if name[0] not in "._")


def _contains(folder: str, other: str) -> bool:
    return other == folder or other.startswith(folder.rstrip(os.sep) + os.sep)


def _raise(error: OSError) -> NoReturn:
    raise error


def _read_keys(folders: Sequence[str]) -> dict[str, str | None]:
    pairs = (name.partition("=") for name in folders if "=" in name)
    return {unquote(key): None if value == _MISSING else unquote(value) for key, _, value in pairs}


def _describe(others: Sequence[Path]) -> tuple[str, ...]:
    if not others:
        return ()
    names = ", ".join(path.name for path in others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
    endings = "another ending was" if len(others) == 1 else "other endings were"
    return (f"{count(len(others), 'file')} with {endings} not read: {names}",)
