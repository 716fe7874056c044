"""A registered version: its package file by file, its statement, and what that leads to."""

from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from ekiben.contract.errors import InvalidModel
from ekiben.model.integrity import digest_file, find_change
from ekiben.model.package import MANIFEST_FILE, PROVENANCE_FILE, Manifest
from ekiben.model.provenance import InvalidProvenance, Provenance, load_provenance
from ekiben.model.steps import finish
from ekiben.model.store import DIGEST_LABEL, VersionMissing, find_model, open_stored
from ekiben.pipeline.lineage.gates import list_gates
from ekiben.pipeline.lineage.link import Findings, Link, shorten_digest
from ekiben.pipeline.lineage.manifest import read_manifest
from ekiben.pipeline.lineage.origin import verify_origin
from ekiben.pipeline.lineage.signing import verify_signature
from ekiben.training.registry.version_packages import PackageGone, open_package


def verify_version(registered: ModelVersion, key: Path | None = None) -> Link:
    """Return a version with its package, its copy in the BentoML store, and where it comes from.

    With a public `key` its signature is verified too.
    """
    name, version = str(registered.name), str(registered.version)
    found = Findings.begin(f"run {registered.run_id}")
    digest = registered.tags.get(DIGEST_LABEL)
    if digest is None:
        found.open.append("registered before the manifest's digest was kept: its files can't be told from others")
    try:
        with open_package(registered) as package:
            links = verify_package(package, registered, digest)
            links += [verify_signature(package, registered, key)] if key else []
    except PackageGone as error:
        found.faults.append(str(error))
        links = []
    return found.close("version", f"{version} of {name}", [*links, verify_copy(name, version, digest)])


def verify_package(package: Path, registered: ModelVersion, digest: str | None) -> list[Link]:
    """Return the link of the package, and those of its statement."""
    found = Findings.begin()
    manifest = read_manifest(package)
    if manifest is None or digest is None:
        found.faults.append(f"{MANIFEST_FILE} is missing or damaged")
    else:
        change = finish(find_change(package, {**manifest.files, MANIFEST_FILE: digest}))
        fact = f"{len(manifest.files)} files as packed"
        found.check(not change, fact, change.replace(f"{package}/", ""))
        other = (manifest.name, manifest.version, manifest.run_id) != (
            registered.name, str(registered.version), registered.run_id,
        )  # fmt: skip
        found.check(not other, "", f"{MANIFEST_FILE} is of version {manifest.version} of {manifest.name}")
    statement = verify_statement(package, registered, manifest)
    link = found.close("package", f"manifest {shorten_digest(digest)}")
    return [link, *statement]


def verify_statement(package: Path, registered: ModelVersion, manifest: Manifest | None) -> list[Link]:
    """Return the link of provenance.json, with all that it names below it, and the gates'."""
    name, run_id, version = str(registered.name), str(registered.run_id), str(registered.version)
    path = package / PROVENANCE_FILE
    if not path.exists():
        opened = (f"packed before {PROVENANCE_FILE} was: it ends here",)
        return [Link("provenance", "none", open=opened), *list_gates(name, version, run_id, None)]
    found = Findings.begin()
    try:
        provenance = load_provenance(path)
    except InvalidProvenance as error:
        found.faults.append(str(error).replace(f"{package}/", ""))
        return [found.close("provenance", shorten_digest(digest_file(path)))]
    compare_subjects(found, provenance, package, manifest)
    found.check(provenance.run.id == run_id, "", f"it is of run {provenance.run.id}, not of this version's")
    links = [*verify_origin(name, provenance), *list_gates(name, version, run_id, provenance)]
    return [found.close("provenance", shorten_digest(digest_file(path)), links)]


def compare_subjects(found: Findings, provenance: Provenance, package: Path, manifest: Manifest | None) -> None:
    """Note which of the files are not the ones that the statement is about."""
    for name, digest in provenance.files.items():
        path = package / name
        if not path.is_file() or digest_file(path) != digest:
            found.faults.append(f"{name} is not the file that {PROVENANCE_FILE} is about")
    unsaid = (manifest.files.keys() if manifest else set()) - provenance.files.keys() - {PROVENANCE_FILE}
    found.faults += [f"{PROVENANCE_FILE} does not know {name}" for name in sorted(unsaid)]
    if not found.faults:
        found.facts.append(f"speaks of these {len(provenance.files)} files")


def verify_copy(name: str, version: str, digest: str | None) -> Link:
    """Compare what the BentoML store serves as this version."""
    found = Findings.begin()
    try:
        packed = open_stored(find_model(name, version))
    except VersionMissing:
        found.facts.append("not packed there")
    except InvalidModel as error:
        found.faults.append(str(error))
    else:
        fault = f"its manifest is {shorten_digest(packed.digest)}, not the registry's {shorten_digest(digest)}"
        found.check(digest in (None, packed.digest), "the same files", fault)
    return found.close("BentoML store", f"{name}:{version}")
