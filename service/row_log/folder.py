"""Where the log's files go: a local folder, or S3, Google's or Azure's storage where fsspec and its library are."""

import importlib
import os
import time
from pathlib import Path
from typing import Any, Protocol

from ekiben.contract.errors import UserError
from ekiben.model.home import find_log

LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}


class FolderUnusable(UserError):
    """What would write to the folder is not installed."""


class Folder(Protocol):
    """A folder for files that are written once, or replaced as a whole."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file that nobody sees half; raise an exception if it can't be."""


class LocalFolder:
    """A folder of this machine, made as the first file is written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def write(self, name: str, content: bytes) -> None:
        """Write a file that nobody sees half; raise OSError if it can't be."""
        self.path.mkdir(parents=True, exist_ok=True)
        unfinished = self.path / f".{name}.unfinished"
        try:
            unfinished.write_bytes(content)
            unfinished.replace(self.path / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


class RemoteFolder:
    """A folder that fsspec knows how to write to."""

    def __init__(self, url: str) -> None:
        """Raise FolderUnusable if fsspec or the storage's library is missing."""
        scheme = url.partition("://")[0]
        try:
            files: Any
            files, path = importlib.import_module("fsspec.core").url_to_fs(url)
        except (ImportError, ValueError) as error:
            library = LIBRARIES.get(scheme)
            needed = f"fsspec and {library}" if library else "fsspec and the storage's library"
            reason = str(error).rstrip(".")
            raise FolderUnusable(
                f"LOG_FOLDER={url!r} needs {needed} ({reason}): add them to the image, or name a local folder"
            ) from None
        self._url, self._files, self._path = url, files, path

    def __str__(self) -> str:
        return self._url

    def write(self, name: str, content: bytes) -> None:
        """Write a file; raise whatever the storage's library raises."""
        self._files.makedirs(self._path, exist_ok=True)
        with self._files.open(f"{self._path}/{name}", "wb") as file:
            file.write(content)


def open_folder(given: str, inside: str = "") -> Folder:
    """Return the folder of that name, or the default; raise FolderUnusable if nothing here could write to it.

    With `inside` the folder of that name in it.
    """
    if "://" in given:
        return RemoteFolder(f"{given.rstrip('/')}/{inside}" if inside else given)
    return LocalFolder((Path(given).absolute() if given else find_log()) / inside)


class PartNames:
    """Names files so that no two processes, machines or restarts name the same."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = int.from_bytes(os.urandom(4))  # replicas in containers have the same process id

    def next(self, began: float) -> str:
        """Return the name of a file that began at that time, in seconds since 1970."""
        self._count += 1
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(began))
        return f"{self._prefix}-{moment}-{os.getpid()}-{self._count}.parquet"
