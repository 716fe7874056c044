"""Digests by which what was made before is known again: of JSON, and of our own code."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ekiben.model.integrity import digest_file

ROOT = Path(__file__).resolve().parents[1]


def digest_json(value: Any) -> str:
    """Return the SHA-256 of what JSON can hold, whatever the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def digest_files(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 of files and their names."""
    lines = (f"{name} {digest_file(path)}\n" for name, path in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@cache
def digest_rooms(*rooms: str) -> str:
    """Return the SHA-256 of the modules of these rooms: it says which code ran also where no commit does."""
    modules = (path for room in rooms for path in (ROOT / room).rglob("*.py"))
    return digest_files({path.relative_to(ROOT).as_posix(): path for path in modules})
