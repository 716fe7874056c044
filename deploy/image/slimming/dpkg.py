"""Takes from dpkg's list the packages of which nothing is left: `python dpkg.py ROOT`, in the image's build.

What scanners find is then what is there: programs that `strip.py` has deleted are no finding. The settings and manuals
of such packages go with them.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = "var/lib/dpkg"
NAME = re.compile(r"^Package: *(\S+)", re.MULTILINE)
SHARED = (
    "doc", "doc-base", "man", "info", "locale", "lintian", "bug", "bash-completion", "menu", "pixmaps", "applications",
    "debianutils", "dpkg", "polkit-1", "base-passwd",
)  # fmt: skip
LIBRARIES = ("systemd", "tmpfiles.d", "sysusers.d", "udev", "lsb", "mime", "valgrind")
# What does nothing by itself: settings, manuals, and what programs that are gone would have read.
LEFTOVERS = (
    "/etc/", "/var/",
    *(f"/usr/share/{name}/" for name in SHARED),
    *(f"{usr}/lib/{name}/" for usr in ("", "/usr") for name in LIBRARIES),
)  # fmt: skip


def tidy(root: Path) -> list[str]:
    """Delete what belongs to packages that have lost all that they did; return their names."""
    status = root / FOLDER / "status"
    if not status.is_file():
        return []
    paragraphs = [text for text in status.read_text(encoding="utf-8").split("\n\n") if text.strip()]
    names = {text: found[1] for text in paragraphs if (found := NAME.search(text))}
    gone = [text for text, name in names.items() if is_gone(root, name)]
    kept = set().union(*(_read_list(root, name) for text, name in names.items() if text not in gone))
    for text in gone:
        _delete(root, names[text], kept)
    left = "\n\n".join(text for text in paragraphs if text not in gone)
    status.write_text(f"{left.strip()}\n\n" if left else "", encoding="utf-8")
    (root / FOLDER / "status-old").unlink(missing_ok=True)
    return sorted(names[text] for text in gone)


def is_gone(root: Path, name: str) -> bool:
    """Return whether a package has none of its files that do something any more, or no file at all."""
    files = _list_files(root, name)
    working = [line for line in files if not f"{line}/".startswith(LEFTOVERS)]
    return not any(_is_file(root, line) for line in working or files)


def _is_file(root: Path, line: str) -> bool:
    path = root / line.lstrip("/")
    return path.is_symlink() or path.is_file()


def _list_files(root: Path, name: str) -> set[str]:
    """Return a package's files without their folders, some of which are links: /bin to /usr/bin."""
    lines = _read_list(root, name)
    return lines - {line.rpartition("/")[0] for line in lines}


def _read_list(root: Path, name: str) -> set[str]:
    lines = (
        path.read_text(encoding="utf-8").splitlines() for path in _find_notes(root, name) if path.suffix == ".list"
    )
    return {line for listed in lines for line in listed if line != "/."}


def _find_notes(root: Path, name: str) -> Iterator[Path]:
    """Yield dpkg's own files about a package: NAME.list, NAME:amd64.md5sums and the like."""
    for path in (root / FOLDER / "info").glob(f"{name}[.:]*"):
        if path.name.rpartition(".")[0].partition(":")[0] == name:
            yield path


def _delete(root: Path, name: str, kept: set[str]) -> None:
    for line in _list_files(root, name) - kept:
        path = root / line.lstrip("/")
        if path.is_symlink() or path.is_file():
            path.unlink()
    shutil.rmtree(root / "usr/share/doc" / name, ignore_errors=True)
    for path in [*_find_notes(root, name)]:
        path.unlink()


if __name__ == "__main__":
    tidy(Path(sys.argv[1]))
    Path(__file__).unlink()
