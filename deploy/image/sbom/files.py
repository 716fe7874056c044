"""The digest of installed files: that of the list which `sha256sum` prints of them, sorted by their paths."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def find_files(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Return which of the paths are regular files, once each; bytecode is left out: Python makes it of the others."""
    found = {path for path in paths if path.suffix != ".pyc" and path.is_file() and not path.is_symlink()}
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def describe_files(root: Path, files: Iterable[Path]) -> list[dict[str, str]]:
    """Return how many files there are, their bytes, and the digest of their list, as properties of a component."""
    listing, count, size = hashlib.sha256(), 0, 0
    for path in files:
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        listing.update(f"{digest}  {path.relative_to(root).as_posix()}\n".encode())
        count, size = count + 1, size + len(content)
    return [
        to_property("files", str(count)),
        to_property("bytes", str(size)),
        to_property("files-sha256", listing.hexdigest()),
    ]


def to_property(name: str, value: str) -> dict[str, str]:
    """Return a property in the name space that all of ours are in."""
    return {"name": f"ekiben:{name}", "value": value}
