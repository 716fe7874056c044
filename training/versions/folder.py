"""Where kept tables lie: data/tables here or in EKIBEN_HOME, or what EKIBEN_TABLES names.

That is another folder, or S3, Google's or Azure's storage where fsspec and its library are.
"""

import fcntl
import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Protocol

from ekiben.contract.errors import UserError
from ekiben.training.home import find_data
from ekiben.training.redaction import redact, redact_uri
from ekiben.training.whole_file import write_whole

VARIABLE = "EKIBEN_TABLES"
TABLES = "tables"
LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}


class TablesUnusable(UserError):
    """The folder of the kept tables can't be read or written."""


class Folder(Protocol):
    """A folder of files that are written once or replaced as a whole; names may have folders in them."""

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None if there is no such file."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file that nobody sees half; raise TablesUnusable, and leave nothing, if that is impossible."""

    def has(self, name: str) -> bool:
        """Return whether there is a file of that name."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def list(self, pattern: str) -> Mapping[str, int]:
        """Return the names that fit a pattern, and the files' bytes."""

    def locked(self, alone: bool) -> AbstractContextManager[None]:
        """Wait until no other process of this machine is in here that must be alone, or none at all."""


class LocalFolder:
    """A folder of this machine, made as the first file is written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def read(self, name: str) -> bytes | None:
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TablesUnusable(f"{self._path / name} can't be read: {error.strerror}") from None

    def write(self, name: str, content: bytes) -> None:
        path = self._path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            room = f"make room, remove tables with `ekiben data prune`, or set {VARIABLE} to another folder"
            raise TablesUnusable(f"the table can't be kept in {self._path} ({error.strerror}): {room}") from None

    def has(self, name: str) -> bool:
        return (self._path / name).is_file()

    def remove(self, name: str) -> None:
        try:
            (self._path / name).unlink(missing_ok=True)
            with suppress(OSError):  # while there are other files in it
                (self._path / name).parent.rmdir()
        except OSError as error:
            raise TablesUnusable(f"{self._path / name} can't be removed: {error.strerror}") from None

    def list(self, pattern: str) -> Mapping[str, int]:
        found = {}
        for path in self._path.glob(pattern):
            with suppress(FileNotFoundError):  # removed meanwhile
                found[path.relative_to(self._path).as_posix()] = path.stat().st_size
        return found

    @contextmanager
    def locked(self, alone: bool) -> Iterator[None]:
        """The lock is the folder's, so nothing is left behind; the end of the process releases it too."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            opened = os.open(self._path, os.O_RDONLY)
        except OSError as error:
            raise TablesUnusable(f"{self._path} can't be used: {error.strerror}") from None
        try:
            with suppress(OSError):  # on a file system without locks
                fcntl.flock(opened, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(opened)


class RemoteFolder:
    """A folder that fsspec knows; a store of objects shows none half."""

    def __init__(self, url: str) -> None:
        """Raise TablesUnusable if fsspec or the storage's library is missing."""
        self._shown = redact_uri(url)
        try:
            files: Any
            files, path = importlib.import_module("fsspec.core").url_to_fs(url)
        except (ImportError, ValueError) as error:
            library = LIBRARIES.get(url.partition("://")[0])
            needed = f"fsspec and {library}" if library else "fsspec and the storage's library"
            reason = redact(str(error), url).rstrip(".")
            raise TablesUnusable(
                f"{VARIABLE}={self._shown} needs {needed} ({reason}): install them, or name a local folder"
            ) from None
        self._files, self._path = files, path.rstrip("/")

    def __str__(self) -> str:
        return self._shown

    def read(self, name: str) -> bytes | None:
        with self._sound(name):
            try:
                return bytes(self._files.cat_file(f"{self._path}/{name}"))
            except FileNotFoundError:
                return None

    def write(self, name: str, content: bytes) -> None:
        path = f"{self._path}/{name}"
        with self._sound(name):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, content)

    def has(self, name: str) -> bool:
        with self._sound(name):
            return bool(self._files.isfile(f"{self._path}/{name}"))

    def remove(self, name: str) -> None:
        with self._sound(name), suppress(FileNotFoundError):
            self._files.rm_file(f"{self._path}/{name}")

    def list(self, pattern: str) -> Mapping[str, int]:
        depth = pattern.count("/") + 1
        with self._sound(pattern):
            self._files.invalidate_cache()
            found = self._files.glob(f"{self._path}/{pattern}", detail=True)
        return {"/".join(path.split("/")[-depth:]): int(about.get("size") or 0) for path, about in found.items()}

    def locked(self, alone: bool) -> AbstractContextManager[None]:
        return nullcontext()  # such a storage has no locks: see docs/datasets.md

    @contextmanager
    def _sound(self, name: str) -> Iterator[None]:
        """Turn what the storage's library raises into TablesUnusable."""
        try:
            yield
        except Exception as error:  # each library has dozens of kinds
            reason = (redact(str(error)).splitlines() or [type(error).__name__])[0]
            raise TablesUnusable(f"{self._shown}/{name} can't be used: {reason}") from None


def open_folder() -> Folder:
    """Return the folder of the kept tables; raise TablesUnusable if nothing here could read it."""
    given = os.environ.get(VARIABLE, "")
    if "://" in given:
        return RemoteFolder(given)
    return LocalFolder(Path(given).absolute() if given else find_data() / TABLES)
