"""Says in what two images differ: `python -m ekiben.deploy.image.compare ONE OTHER`; it needs podman.

Two builds of one commit differ in the times of files, and in the time that BentoML writes into
a bento: neither is compared.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ekiben.contract.errors import UserError

TIMES = re.compile(rb"^creation_time: .*$", re.MULTILINE)  # in bento.yaml and model.yaml
STAMPED = ("bento.yaml", "model.yaml")
SHOWN = 20


class ImageMissing(UserError):
    """There is no such image."""


@dataclass(frozen=True)
class Entry:
    """What counts of a file in an image."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    target: str  # of a link
    digest: str


def main() -> int:
    """Print what differs; the exit code is 1 if anything does."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.deploy.image.compare", description=__doc__.splitlines()[0])
    parser.add_argument("one")
    parser.add_argument("other")
    options = parser.parse_args()
    try:
        one, other = read_files(options.one), read_files(options.other)
        different = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
        if read_configuration(options.one) != read_configuration(options.other):
            different.insert(0, "(the configuration)")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name in different[:SHOWN]:
        print(f"differs: {name}")
    print(f"{len(one):,} files, {len(different):,} of them differ, times apart")
    return 1 if different else 0


def read_files(image: str) -> dict[str, Entry]:
    """Return every file of an image."""
    container = podman("create", image)
    try:
        with tempfile.NamedTemporaryFile(suffix=".tar") as exported:
            podman("export", "--output", exported.name, container)
            with tarfile.open(exported.name) as archive:
                return {member.name: describe(archive, member) for member in archive}
    finally:
        podman("rm", container)


def describe(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    """Return what counts of one file."""
    opened = archive.extractfile(member) if member.isfile() else None
    content = opened.read() if opened else b""
    if Path(member.name).name in STAMPED:
        content = TIMES.sub(b"", content)
    return Entry(
        member.type, member.mode, (member.uid, member.gid), member.linkname, hashlib.sha256(content).hexdigest()
    )


def read_configuration(image: str) -> object:
    """Return how an image is run, and its labels."""
    return json.loads(podman("image", "inspect", "--format", "{{json .Config}}", image))


def podman(*arguments: str) -> str:
    """Run podman; raise ImageMissing if it fails, which is what it says of an image it doesn't know."""
    try:
        done = subprocess.run(["podman", *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        raise ImageMissing("podman is not installed: it is what compares images here") from None
    if done.returncode:
        raise ImageMissing(f"podman {arguments[0]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
