"""An image: what its labels say, whether its files are those, and the version it holds."""

import hashlib
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from ekiben.contract.errors import UserError
from ekiben.deploy.image.statements.inspect import MODELS, read_file, read_labels
from ekiben.deploy.image.statements.labels import (
    MANIFEST_LABEL,
    PROVENANCE_LABEL,
    RUN_LABEL,
    TITLE_LABEL,
    VERSION_LABEL,
)
from ekiben.model.package import MANIFEST_FILE, PROVENANCE_FILE
from ekiben.model.store import DIGEST_LABEL
from ekiben.pipeline.lineage.link import Findings, Link, shorten_digest
from ekiben.pipeline.lineage.version import verify_version
from ekiben.training.registry import tracking


class NoLabels(UserError):
    """The image does not say which model it holds."""


def verify_image(image: str, key: Path | None = None) -> Link:
    """Return an image with the version it holds; raise ImageUnknown or NoLabels if it can't be told."""
    engine, labels = read_labels(image)
    missing = next((label for label in (TITLE_LABEL, VERSION_LABEL, MANIFEST_LABEL) if label not in labels), None)
    if missing:
        raise NoLabels(f"the image {image} has no label {missing}: only images of `ekiben image` say what they hold")
    name, version = labels[TITLE_LABEL], labels[VERSION_LABEL]
    found = Findings.begin(f"read by {engine}")
    folder = f"{MODELS}/{name.lower()}/{version}"
    check_file(found, engine, image, f"{folder}/{MANIFEST_FILE}", labels[MANIFEST_LABEL])
    if PROVENANCE_LABEL in labels:
        check_file(found, engine, image, f"{folder}/{PROVENANCE_FILE}", labels[PROVENANCE_LABEL])
    else:
        found.open.append(f"it has no label {PROVENANCE_LABEL}: its model was packed before there was one")
    registered = find_version(name, version)
    if registered is None:
        found.faults.append(f"the registry has no version {version} of {name}")
        return found.close("image", image)
    there = registered.tags.get(DIGEST_LABEL)
    wrong = f"its manifest {shorten_digest(labels[MANIFEST_LABEL])} is not that of the registry's version {version}"
    if not found.check(there == labels[MANIFEST_LABEL], "", f"{wrong}, {shorten_digest(there)}"):
        return found.close("image", image)
    run = labels.get(RUN_LABEL)
    found.check(run == registered.run_id, "", f"its run is {run}, that of the version {registered.run_id}")
    return found.close("image", image, [verify_version(registered, key)])


def check_file(found: Findings, engine: str, image: str, path: str, wanted: str) -> None:
    """Compare a file of the image with its label."""
    name = path.rpartition("/")[2]
    content = read_file(engine, image, path)
    if content is None:
        found.open.append(f"{name} could not be copied out of it: only its label is known")
        return
    same = hashlib.sha256(content).hexdigest() == wanted
    found.check(same, f"{name} {shorten_digest(wanted)}", f"{name} in it is not the file that its label says")


def find_version(name: str, version: str) -> ModelVersion | None:
    """Return a registered version, None if there is none."""
    return next((one for one in tracking.find_versions(name) if str(one.version) == version), None)
