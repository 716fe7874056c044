"""Whether a packed folder holds the very files that were packed, and no others."""

import hashlib
from collections.abc import Iterator, Mapping, Set
from pathlib import Path, PurePosixPath

from ekiben.model.steps import Step, Steps, finish

BLOCK_BYTES = 2**20  # digested in a step: 0.5 to 3 ms, for which Python's lock is released
STORE_FILE = "model.yaml"  # BentoML's own, in each folder of its store: the model's tag and labels


def find_change(folder: Path, digests: Mapping[str, str]) -> Steps[str]:
    """Return the first thing that differs from the SHA-256 of each file, by its path in the folder, or "".

    A link differs too: what it leads to could change after this.
    """
    yield Step.UNLOCKED
    strangers = _find_strangers(folder, {*digests, STORE_FILE})
    if stranger := next(strangers, ""):
        return stranger
    for name, digest in digests.items():
        yield Step.UNLOCKED
        path = folder / name
        if not path.is_file():
            return f"{path} is missing"
        if (yield from digest_in_steps(path)) != digest:
            return f"{path} is not the file that was packed"
    return ""


def _find_strangers(folder: Path, known: Set[str]) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            yield f"{path} is a link, not a file that was packed"
        elif not path.is_dir() and path.relative_to(folder).as_posix() not in known:
            yield f"{path} is not one of the files that were packed"


def is_inside(name: str) -> bool:
    """Return whether a file's name, taken as a path in a folder, stays in that folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    return finish(digest_in_steps(path))


def digest_in_steps(path: Path) -> Steps[str]:
    """Do the same in steps of BLOCK_BYTES."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            yield Step.UNLOCKED
    return digest.hexdigest()
