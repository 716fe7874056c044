"""The folder of what was downloaded: a version of it is whole or is not there."""

import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Set
from contextlib import asynccontextmanager
from pathlib import Path

from ekiben.contract.errors import InvalidModel
from ekiben.model.home import find_home
from ekiben.service.servings.loading import open_model_gently
from ekiben.service.sources.address import ModelSource
from ekiben.service.sources.download import download
from ekiben.service.sources.registry import Registered, Registry, RegistryFailed

FOLDER = "registry"  # in BentoML's home
PARTIAL = ".partial-"
ABANDONED_S = 3600.0  # after which what a process left unfinished is removed
KEPT = 8  # versions; what is served, and some before it
MAX_PACKAGE_BYTES = 2**30
DOWNLOAD_S = 300.0  # for all files


def find_folder(source: ModelSource) -> Path:
    """Return where the versions of a registered model are kept."""
    return find_home() / FOLDER / source.name


class Cache:
    """The downloaded versions of one model; several workers share it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.folder = find_folder(registry.source)

    async def fetch(self, registered: Registered, served: Path | None) -> Path:
        """Return the folder of a version, whose files are as they were packed; raise RegistryFailed if it can't be had.

        It is downloaded if it is not there, or not as it was. What is `served` now is not removed to make room.
        """
        path = self.folder / f"{registered.version}-{registered.digest[:16]}"
        try:
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(os.utime, path)  # first: another worker may be removing what is old
            if not await self._is_whole(path, registered.digest):
                await self._download(registered, path)
            await asyncio.to_thread(self._prune, {path, served})
        except TimeoutError:
            raise self._registry.fail("unreachable", f"did not send the package within {DOWNLOAD_S:g} s") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise RegistryFailed(
                "disk", f"version {registered.version} of {self._registry.source} can't be kept in {self.folder} "
                f"({reason}): make room or set BENTOML_HOME to another folder",
            ) from None  # fmt: skip
        return path

    async def _is_whole(self, path: Path, digest: str) -> bool:
        if not path.is_dir():
            return False
        try:
            await open_model_gently(path, digest)
        except InvalidModel:
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)  # another worker may do so, too
            return False
        return True

    async def _download(self, registered: Registered, path: Path) -> None:
        await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
        max_bytes = min(MAX_PACKAGE_BYTES, shutil.disk_usage(self.folder).free // 2)  # others need the disk, too
        async with self._partial() as partial:
            async with asyncio.timeout(DOWNLOAD_S):
                await download(self._registry, registered, partial, max_bytes)
            try:
                partial.rename(path)
            except OSError:
                if not path.is_dir():  # another worker was not quicker
                    raise

    @asynccontextmanager
    async def _partial(self) -> AsyncIterator[Path]:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=PARTIAL, dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _prune(self, needed: Set[Path | None]) -> None:
        """Remove what was used longest ago, and what was never finished."""
        now = time.time()
        aged = list(self._tell_ages())
        whole = sorted((used, path) for used, path in aged if not path.name.startswith(PARTIAL))
        left = [path for used, path in aged if path.name.startswith(PARTIAL) and now - used > ABANDONED_S]
        for path in [path for _, path in whole[:-KEPT] if path not in needed] + left:
            shutil.rmtree(path, ignore_errors=True)

    def _tell_ages(self) -> Iterator[tuple[float, Path]]:
        """Yield each folder, and when it was used."""
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another worker has just removed it
                if path.is_dir():
                    yield path.stat().st_mtime, path
