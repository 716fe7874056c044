"""Builds the image that trains: every command of `ekiben`, for Kubeflow, Airflow and whoever else runs its steps."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ekiben.contract.version import VERSION
from ekiben.deploy.image.base import find_base
from ekiben.deploy.image.bento import ROOT
from ekiben.deploy.image.builder import ImageFailed, check_tag, explain, find_builder, read_size
from ekiben.deploy.image.statements.labels import LICENCE, OCI, describe_base, describe_build
from ekiben.training.home import make_folder

LOCK = Path("requirements/pipeline.txt")
PRUNE = Path("deploy/image/slimming/prune.py")
DOCKERFILE = Path(__file__).with_name("training.Dockerfile")
COMMAND = '#!/bin/sh\nexec /opt/ekiben/bin/python -m ekiben.commands "$@"\n'
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def build_training(tag: str, backend: str | None, options: Iterable[str], base: str = "") -> str:
    """Build the image and return what there is to say of it; raise ImageFailed naming what is missing."""
    builder = find_builder(backend)
    tag = tag or f"ekiben-training:{VERSION}"
    check_tag(tag)
    begins_at = find_base(builder, base)
    log = make_folder("dist") / "training.log"
    print(f"building {tag}, which trains, with {builder}: several minutes …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        collect(Path(folder))
        labels = {f"{OCI}title": "ekiben-training", f"{OCI}version": VERSION, f"{OCI}licenses": LICENCE}
        labels |= describe_build() | describe_base(begins_at)
        options = [f"build-arg=BASE={begins_at.reference}", *(f"label={n}={v}" for n, v in labels.items()), *options]
        given = [f"--{option}" for option in options]
        done = subprocess.run(
            [builder, *build_command(builder), *given, "-t", tag, "-f", str(DOCKERFILE), folder],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    log.write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        raise ImageFailed(f"{explain(builder, tag, done.stdout)} (all it said: {log})")
    return f"{tag}: {read_size(builder, tag)}, on {begins_at}; `deploy/README.md` lists what runs it"


def collect(folder: Path) -> None:
    """Write what the Dockerfile names into a folder: the lock, the command, and our packages, without the tests."""
    shutil.copy(ROOT / LOCK, folder)
    shutil.copy(ROOT / PRUNE, folder)
    (folder / "ekiben").write_text(COMMAND, encoding="utf-8")
    for room in sorted(path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"):
        shutil.copytree(room, folder / "src" / room.name, ignore=LEFT_OUT)
    (folder / "src" / LOCK.parent).mkdir()
    for lock in (ROOT / LOCK.parent).glob("*.txt"):
        shutil.copy(lock, folder / "src" / LOCK.parent)
    shutil.copy(ROOT / "bentofile.yaml", folder / "src")


def build_command(builder: str) -> list[str]:
    """Return the builder's verb."""
    return ["bud"] if builder == "buildah" else ["build"]
