"""Downloads a version's package: within bounds, and not a byte of it that is not the one that was packed."""

import asyncio
import hashlib
from pathlib import Path

from pydantic import ValidationError

from ekiben.contract.validation import shorten
from ekiben.model.package import MANIFEST_FILE, PACKAGE, Manifest
from ekiben.service.sources.registry import Registered, Registry, read_bounded

MAX_MANIFEST_BYTES, MAX_FILES = 2**20, 1000
BLOCK_BYTES = 2**20  # written and digested at once, in a thread


async def download(registry: Registry, registered: Registered, folder: Path, max_bytes: int) -> None:
    """Write the package into an empty folder; raise RegistryFailed if it is not the one that was registered.

    It may have that many bytes. Raises OSError if they can't be written.
    """
    manifest = await _download_manifest(registry, registered, folder)
    left = max_bytes
    for name, digest in manifest.files.items():
        left -= await _download_file(registry, registered, name, digest, folder, left)


async def _download_manifest(registry: Registry, registered: Registered, folder: Path) -> Manifest:
    async with registry.open_file(registered.run_id, f"{PACKAGE}/{MANIFEST_FILE}") as response:
        content = await read_bounded(response, MAX_MANIFEST_BYTES)
    which = f"version {registered.version} of {registry.source}"
    if hashlib.sha256(content).hexdigest() != registered.digest:
        raise registry.fail("invalid", f"gives another manifest than the one that {which} was packed with")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError:
        raise registry.fail("invalid", f"has no readable manifest of {which}") from None
    expected = (registry.source.name, registered.version, registered.run_id)
    if (manifest.name, manifest.version, manifest.run_id) != expected:
        other = f"version {shorten(manifest.version)} of `{shorten(manifest.name)}`"
        raise registry.fail("invalid", f"gives the package of {other} for {which}")
    if len(manifest.files) > MAX_FILES:
        raise registry.fail("invalid", f"names {len(manifest.files)} files of {which}: a package has some ten")
    await asyncio.to_thread((folder / MANIFEST_FILE).write_bytes, content)
    return manifest


async def _download_file(
    registry: Registry, registered: Registered, name: str, digest: str, folder: Path, max_bytes: int
) -> int:
    """Write one file and return its size; `name` stays in the folder, as the manifest has found."""
    path, found, size, block = folder / name, hashlib.sha256(), 0, bytearray()
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    with path.open("xb", buffering=0) as file:

        def write() -> None:
            found.update(block)
            file.write(block)

        async with registry.open_file(registered.run_id, f"{PACKAGE}/{name}") as response:
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > max_bytes:
                    raise registry.fail(
                        "large", f"sends more of {registry.source} than {max_bytes} bytes: make room on the disk"
                    )
                block += chunk
                if len(block) >= BLOCK_BYTES:
                    await asyncio.to_thread(write)
                    block.clear()
        await asyncio.to_thread(write)
    if found.hexdigest() != digest:
        raise registry.fail(
            "invalid", f"gives another {shorten(name)} than version {registered.version} was packed with"
        )
    return size
