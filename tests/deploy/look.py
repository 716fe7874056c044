"""Prints as JSON what runs in a file system, and who may write to it: `python look.py ROOT`, inside a container."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path


def walk(root: Path) -> Iterator[tuple[str, int]]:
    """Yield each regular file and folder, the kernel's apart, with its mode."""
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in {"proc", "sys", "dev"}]
        for path in (os.path.join(folder, name) for name in (*folders, *files)):
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                yield path, mode


def look(root: Path) -> dict[str, list[str]]:
    """Return what there is, by kind."""
    found: dict[str, list[str]] = {
        kind: [] for kind in ("setuid", "writable", "scripts", "programs", "wheels", "headers")
    }
    for path, mode in walk(root):
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            found["writable"].append(path)
        if not stat.S_ISREG(mode):
            continue
        if mode & (stat.S_ISUID | stat.S_ISGID):
            found["setuid"].append(path)
        if path.endswith((".h", ".a", ".o")):
            found["headers"].append(path)
        if path.endswith(".whl"):
            found["wheels"].append(path)
        with open(path, "rb") as file:
            head = file.read(4)
        if mode & 0o111 and head.startswith(b"#!") and not path.endswith(".py"):
            found["scripts"].append(path)
        if mode & 0o111 and head == b"\x7fELF" and ".so" not in Path(path).name:
            found["programs"].append(path)
    return found


if __name__ == "__main__":
    json.dump(look(Path(sys.argv[1])), sys.stdout)
