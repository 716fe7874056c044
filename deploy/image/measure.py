"""Prints how large each kind of image is, how soon it answers and what memory it takes.

Run `python -m ekiben.deploy.image.measure`: of one model it builds the default image, the one with
TensorFlow, and what plain BentoML makes of the same files with TensorFlow; it needs podman.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from ekiben.contract.errors import UserError
from ekiben.deploy.image.bento import build_bento
from ekiben.deploy.image.builder import ImageFailed, containerize, find_builder
from ekiben.load_tests.machine import describe_machine
from ekiben.model.integrity import STORE_FILE, digest_file
from ekiben.model.package import MANIFEST_FILE, PackedModel
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings

MIB = 2**20
PORT = 18980
START_TIMEOUT_S = 60
ROUNDS = 5
PLAIN = {"docker": {"dockerfile_template": None}}  # BentoML's own


@dataclass(frozen=True)
class Kind:
    """A kind of image."""

    name: str
    engine: str
    plain: bool = False

    @property
    def bento(self) -> str:
        """Where the bento lies in the image."""
        return "/home/bentoml/bento" if self.plain else "/opt/bento"

    @property
    def tag(self) -> str:
        return f"ekiben-measured:{self.engine}{'-plain' if self.plain else ''}"


KINDS = (
    Kind("default: LiteRT", "litert"),
    Kind("with TensorFlow", "tensorflow"),
    Kind("BentoML's own, with TensorFlow", "tensorflow", plain=True),
)


def main() -> int:
    """Build, run and print a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m ekiben.deploy.image.measure", description=__doc__.splitlines()[0])
    parser.add_argument("--opt", dest="options", action="append", default=[], help="handed to podman's build")
    options = parser.parse_args()
    logging.getLogger("bentoml").setLevel(logging.ERROR)  # that v1 is as good as v2
    try:
        find_builder("podman")
        measure(options.options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def measure(options: list[str]) -> None:
    """Print a Markdown table; every image answers with the engine that it is named for."""
    model = open_stored(find_model(read_settings().model_name))
    for kind in KINDS:
        build(kind, options)
    with tempfile.TemporaryDirectory() as folder:
        print(f"{describe_machine()}; medians of {ROUNDS} starts\n")
        print("| image | size, MB | start to ready, s | resident when ready, MiB |\n|---|--:|--:|--:|")
        for kind in KINDS:
            changed = write_manifest(model, kind.engine, Path(folder))
            starts = [run(kind, model, changed) for _ in range(ROUNDS)]
            start_s, memory = median(start for start, _ in starts), median(memory for _, memory in starts)
            print(f"| {kind.name} | {read_bytes(kind.tag) / 1e6:,.0f} | {start_s:.1f} | {memory:.0f} |", flush=True)


def write_manifest(model: PackedModel, engine: str, folder: Path) -> Path:
    """Write the manifest as it would be if LiteRT could not convert the model, or could, and the label that names it.

    Returns the folder of both.
    """
    changed = folder / engine
    changed.mkdir(exist_ok=True)  # two kinds have one engine
    manifest, listing = changed / MANIFEST_FILE, changed / STORE_FILE
    manifest.write_text(model.manifest.model_copy(update={"engine": engine}).model_dump_json(), encoding="utf-8")
    label = (model.path / STORE_FILE).read_text(encoding="utf-8").replace(model.digest, digest_file(manifest))
    listing.write_text(label, encoding="utf-8")
    for path, mode in ((folder, 0o755), (changed, 0o755), (manifest, 0o644), (listing, 0o644)):
        path.chmod(mode)
    return changed


def build(kind: Kind, options: list[str]) -> None:
    """Build one kind of image."""
    print(f"building the image {kind.name} …", file=sys.stderr)
    bento = build_bento(kind.engine, f"measured-{kind.tag.rpartition(':')[2]}", **(PLAIN if kind.plain else {}))
    containerize("podman", bento, kind.tag, {}, options, Path(f"dist/{kind.tag.replace(':', '-')}.log"))


def run(kind: Kind, model: PackedModel, changed: Path) -> tuple[float, float]:
    """Start a container; return the seconds until it is ready and its resident memory then, in MiB."""
    began = time.perf_counter()
    index = f"{kind.bento}/models/{model.name}/{model.version}"
    volumes = [f"--volume={changed / file}:{index}/{file}:ro" for file in (MANIFEST_FILE, STORE_FILE)]
    options = [f"--env=PORT={PORT}", f"--env=GRPC_PORT={PORT + 1}", *volumes]
    name = podman("run", "--detach", *options, kind.tag)
    try:
        while not is_ready():
            if time.perf_counter() - began > START_TIMEOUT_S:
                raise ImageFailed(f"{kind.tag} is not ready within {START_TIMEOUT_S} s: {podman('logs', name)[-300:]}")
            time.sleep(0.02)
        took_s = time.perf_counter() - began
        first = psutil.Process(json.loads(podman("inspect", name))[0]["State"]["Pid"])
        return took_s, sum(one.memory_info().rss for one in (first, *first.children(recursive=True))) / MIB
    finally:
        podman("rm", "--force", "--time", "0", name)


def is_ready() -> bool:
    """Return whether the container says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1):
            return True
    except (urllib.error.URLError, OSError):
        return False


def read_bytes(tag: str) -> int:
    """Return the image's size."""
    return int(podman("image", "inspect", "--format", "{{.Size}}", tag))


def podman(*arguments: str) -> str:
    """Run podman; raise ImageFailed if it fails."""
    done = subprocess.run(["podman", *arguments], env=os.environ, capture_output=True, text=True)
    if done.returncode:
        raise ImageFailed(f"podman {arguments[0]} failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
