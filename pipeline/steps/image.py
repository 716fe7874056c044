"""Builds the image that would be served, and lets it give the golden answers, where the problem file asks for it."""

import hashlib
import tempfile
from pathlib import Path

import yaml

from ekiben.deploy.image.bento import BENTOFILE
from ekiben.deploy.image.locks import LOCKS
from ekiben.model.golden import MAX_GOLDEN_DIFFERENCE
from ekiben.model.integrity import digest_file
from ekiben.pipeline.gates.image_replay import build_elsewhere
from ekiben.pipeline.records.record import StepRecord, go, stop
from ekiben.pipeline.step import Given, Made

BUILDS_ON = ("pack",)
GATED = True
OPTIONS: tuple[str, ...] = ()
GATE = "golden answers of the image"


def find_inputs(given: Given) -> dict[str, str]:
    """Return, where an image is asked for, the digest of what goes into it beside the version."""
    return {"service": _digest_service()} if given.problem.pipeline.image else {}


def run(given: Given) -> Made:
    """Build, start and ask, or say that no image is asked for."""
    name, version, wanted = given.problem.name, given.version, given.problem.pipeline
    if not wanted.image:
        return Made("no image is asked for: `[pipeline] image = true` builds it, and lets it give the golden answers")
    tag = f"{name.lower()}:{version}"
    with tempfile.TemporaryDirectory() as folder:
        difference = build_elsewhere(name, version, tag, wanted.image_options, Path(folder) / "bentoml")
    said = f"the image {tag} gives the golden answers up to {difference:.2g}"
    if not difference <= MAX_GOLDEN_DIFFERENCE:
        sentence = f"{said}, and {MAX_GOLDEN_DIFFERENCE:g} is allowed"
        return Made(sentence, (stop(GATE, sentence),), version=version)
    return Made(said, (go(GATE, said),), version=version)


def check(given: Given, record: StepRecord) -> None:
    """Whether the image is still there is its registry's matter."""


def _digest_service() -> str:
    """Return the SHA-256 of the files that the bentofile names, and of every engine's lock."""
    root, told = BENTOFILE.parent, yaml.safe_load(BENTOFILE.read_text(encoding="utf-8"))
    included = {path for pattern in told["include"] for path in root.glob(pattern)}
    others = (BENTOFILE, root / told["docker"]["dockerfile_template"], *(root / lock for lock in LOCKS.values()))
    digest = hashlib.sha256()
    for path in sorted(included.union(others)):
        digest.update(f"{path.relative_to(root).as_posix()} {digest_file(path)}\n".encode())
    return digest.hexdigest()
