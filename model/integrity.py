"""Whether a packed folder holds the very files that were packed, and no others."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

STORE_FILE = "model.yaml"  # BentoML's own, in each folder of its store: the model's tag and labels


def find_changes(folder: Path, digests: Mapping[str, str]) -> Iterator[str]:
    """Yield what differs from the SHA-256 of each file, by its path in the folder.

    A link differs too: what it leads to could change after this.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            yield f"{path} is a link, not a file that was packed"
        elif not path.is_dir() and path.relative_to(folder).as_posix() not in {*digests, STORE_FILE}:
            yield f"{path} is not one of the files that were packed"
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file():
            yield f"{path} is missing"
        elif digest_file(path) != digest:
            yield f"{path} is not the file that was packed"


def is_inside(name: str) -> bool:
    """Return whether a file's name, taken as a path in a folder, stays in that folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
