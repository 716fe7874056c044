"""Reads a file that a setting names, whole or not at all."""

import os
from pathlib import Path

MAX_BYTES = 64 * 2**10


def read_secret(name: str, path: Path, kind: str) -> bytes:
    """Return what is in the file; raise ValueError, with the setting's name, if it can't be read or is too large."""
    unreadable = f"{name}={str(path)!r} can't be read: name a {kind} that this user may read"
    # A named pipe would be waited for. Path.is_file raises where a folder can't be looked into, or a name is too long.
    if not (os.path.isfile(path) and os.access(path, os.R_OK)):
        raise ValueError(unreadable)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError:
        raise ValueError(unreadable) from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{name}={str(path)!r} is larger than {MAX_BYTES >> 10} KiB: it is no {kind}")
    return content
