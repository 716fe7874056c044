"""Takes from the image's root what serving never runs: `python strip.py ENVIRONMENT`, in the image's build.

What is left to run is Python: no shell, no package manager, no setuid file. Libraries stay, and
dpkg's list of them, for scanners.
"""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin")
# Package managers' and services' own programs, Perl, what could install pip again, and what only compilers read.
FOLDERS = (
    "etc/init.d", "etc/cron.daily", "usr/libexec", "usr/lib/apt", "usr/lib/dpkg", "usr/lib/init", "usr/share/perl5",
    "usr/share/debconf", "usr/share/python3", "usr/share/python-wheels", "usr/lib/*/perl-base", "usr/lib/*/libapt-*",
    "usr/include", "usr/local/include", "usr/local/lib/pkgconfig", "usr/lib/python3*/config-3*",
    "usr/local/lib/python3*/config-3*",
    *(f"usr/{local}lib/python3*/{name}" for local in ("", "local/") for name in ("ensurepip", "idlelib", "test")),
    *(f"usr/lib/python3/dist-packages/{name}*" for name in ("pip", "setuptools", "pkg_resources", "wheel")),
    *(f"usr/local/lib/python3*/site-packages/{name}*" for name in ("pip", "setuptools", "pkg_resources", "wheel")),
)  # fmt: skip
ELSEWHERE = {"proc", "sys", "dev"}  # the kernel's


def strip(root: Path, environment: Path, python: Path) -> None:
    """Delete every program but this Python and all that FOLDERS names, and clear each setuid bit that is left."""
    for doomed in find_doomed(root, environment, python):
        if doomed.is_dir() and not doomed.is_symlink():
            shutil.rmtree(doomed)
        else:
            doomed.unlink(missing_ok=True)
    for path in walk(root):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            path.chmod(stat.S_IMODE(mode) & ~(stat.S_ISUID | stat.S_ISGID))


def find_doomed(root: Path, environment: Path, python: Path) -> list[Path]:
    """Return what goes; all are found before the first goes, as some are links to others."""
    indices = [root / name for name in PROGRAMS] + [environment / "bin"]
    programs = {path for index in indices if index.is_dir() for path in index.iterdir()}
    scripts = {path for path in walk(root) if is_script(path)}
    folders = {path for pattern in FOLDERS for path in root.glob(pattern)}
    return sorted(path for path in programs | scripts | folders if path.resolve() != python)


def walk(root: Path) -> Iterator[Path]:
    """Yield every file of the root's own file system."""
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in ELSEWHERE]
        yield from (Path(folder) / name for name in files)


def is_script(path: Path) -> bool:
    """Return whether a file is run by a program that its first line names; modules of Python are kept."""
    mode = path.lstat().st_mode
    if not stat.S_ISREG(mode) or not mode & 0o111 or path.suffix == ".py":
        return False
    with path.open("rb") as file:
        return file.read(2) == b"#!"


if __name__ == "__main__":
    strip(Path("/"), Path(sys.argv[1]), Path(sys.executable).resolve())
    Path(__file__).unlink()
