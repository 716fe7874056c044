"""Says whether each package of the image's locks has a wheel for each platform: `python -m ekiben.deploy.image.wheels`.

It asks the package index that pip is configured for, and downloads no wheel: the hash that the index gives of the one
that would be installed must be one of the lock's. The exit code is 1 if a wheel is missing, 2 if no index answers.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from ekiben.contract.errors import UserError
from ekiben.deploy.image.bento import ROOT
from ekiben.deploy.image.locks import LOCKS

MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
PYTHON = "3.11"  # the base image's
GLIBC = 36  # 2.36, Debian 12's: wheels for any older one run
UNREACHABLE = ("connection broken by", "Could not fetch URL", "timed out")  # as pip says it
TIMEOUT_S = 300


class NoIndex(UserError):
    """No package index answers."""


class WheelMissing(UserError):
    """A package of a lock can't be installed on a platform, or is another file than the lock says."""


def main() -> int:
    """Check every lock for every platform and print a line of each."""
    found = 0
    for lock in dict.fromkeys(LOCKS.values()):
        for platform in MACHINES:
            try:
                count = check_wheels(ROOT / lock, platform)
            except NoIndex as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
            except WheelMissing as error:
                print(f"error: {lock}, {platform}: {error}", file=sys.stderr)
                found = 1
            else:
                print(f"{lock}: {count} packages, each has a wheel for {platform}")
    return found


def check_wheels(lock: Path, platform: str) -> int:
    """Return how many packages a lock has on a platform; raise WheelMissing unless each has a wheel that it names."""
    pinned = {str(one): hashes for one, hashes in read_lock(lock) if applies(one, MACHINES[platform])}
    report = ask_pip([text.partition(";")[0] for text in pinned], MACHINES[platform])
    known = {to_key(Requirement(text)): hashes for text, hashes in pinned.items()}
    for installed in report["install"]:
        name, version = installed["metadata"]["name"], installed["metadata"]["version"]
        digest = installed["download_info"]["archive_info"]["hashes"].get("sha256")
        if digest not in known[to_key(Requirement(f"{name}=={version}"))]:
            raise WheelMissing(f"the wheel of {name} {version} is none that the lock has a hash of: run `make locks`")
    return len(known)


def read_lock(lock: Path) -> Iterator[tuple[Requirement, set[str]]]:
    """Yield each pinned package with the SHA-256 of its files."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        words = line.partition("#")[0].split("--hash=sha256:")
        if words[0].strip():
            yield Requirement(words[0].strip()), {word.strip() for word in words[1:]}


def applies(pinned: Requirement, machine: str) -> bool:
    """Return whether a package is for that machine, by the markers of its line."""
    where = {"platform_machine": machine, "platform_system": "Linux", "sys_platform": "linux", "os_name": "posix"}
    version = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "implementation_name": "cpython"}
    return pinned.marker is None or pinned.marker.evaluate(where | version)


def to_key(pinned: Requirement) -> tuple[str, str]:
    """Return a package's name as indexes compare it, and its version."""
    return pinned.name.lower().replace("_", "-").replace(".", "-"), str(pinned.specifier)


def ask_pip(requirements: list[str], machine: str) -> dict[str, Any]:
    """Return pip's report of what it would install; raise WheelMissing or NoIndex with what it says."""
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in range(GLIBC, 4, -1)]
    old = [f"--platform={name}_{machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1")]
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "requirements.txt"
        listed.write_text("\n".join(requirements), encoding="utf-8")
        command = [
            sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet",
            "--only-binary=:all:", "--disable-pip-version-check", "--retries=1", "--timeout=15",
            f"--python-version={PYTHON}", "--implementation=cp", *platforms, *old,
            f"--target={folder}/none", f"--report={folder}/report.json", "--requirement", str(listed),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise NoIndex(f"the package index does not answer within {TIMEOUT_S} s: nothing was checked") from None
        if done.returncode:
            raise explain(done.stderr)
        report: dict[str, Any] = json.loads(Path(folder, "report.json").read_bytes())
    return report


def explain(said: str) -> UserError:
    """Return why pip failed."""
    if any(sign in said for sign in UNREACHABLE):
        return NoIndex("no package index answers: nothing was checked")
    lines = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    return WheelMissing(lines[-1] if lines else "pip fails and does not say why")


if __name__ == "__main__":
    sys.exit(main())
