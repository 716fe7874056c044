"""All that is installed in an image's file system as one CycloneDX document; the same files give the same one."""

import hashlib
import json
import platform
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ekiben.contract.version import VERSION
from ekiben.deploy.image.sbom.debian_packages import describe_debian_packages
from ekiben.deploy.image.sbom.files import describe_files, find_files, to_property
from ekiben.deploy.image.sbom.model import describe_models
from ekiben.deploy.image.sbom.python_packages import describe_python_packages

FILE = "sbom.cdx.json"  # beside the bento's own description
SITE_PACKAGES = (
    "usr/lib/python3/dist-packages", "usr/lib/python3*/site-packages", "usr/local/lib/python3*/site-packages"
)  # fmt: skip
PACKAGES = ("site-packages", "dist-packages")
# Program, library and standard library, of which the folders are taken one by one.
PYTHON = ("usr/local/bin/python3*", "usr/local/lib/libpython3*.so*", "usr/local/lib/python3*/*")
LICENCE = "Apache-2.0"  # as pyproject.toml has it


def write_bill(root: Path, bento: Path, environment: Path) -> dict[str, Any]:
    """Return the document: Ekiben, the models of the bento, Python, and the packages of Python and of Debian."""
    own, models = describe_ekiben(root, bento), list(describe_models(bento))
    folders = [*environment.glob("lib/python3*/site-packages"), *(f for p in SITE_PACKAGES for f in root.glob(p))]
    packages = [*describe_python_packages(root, folders), *describe_python(root), *describe_debian_packages(root)]
    image = {"type": "container", "bom-ref": "image", "name": models[0]["name"], "version": models[0]["version"]}
    components = [own, *models, *packages]
    held = [component["bom-ref"] for component in components]
    described: dict[str, Any] = {
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [{"type": "application", "name": "ekiben", "version": VERSION}]},
            "component": image,
        },
        "components": components,
        "dependencies": [{"ref": "image", "dependsOn": held}, *({"ref": ref} for ref in held)],
    }
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        **described,
    }


def describe_ekiben(root: Path, bento: Path) -> dict[str, Any]:
    """Return Ekiben's own files as a component."""
    purl = f"pkg:pypi/ekiben@{VERSION}"
    files = find_files(root, (bento / "src").rglob("*"))
    return {
        "type": "application", "bom-ref": purl, "name": "ekiben", "version": VERSION,
        "licenses": [{"license": {"id": LICENCE}}], "purl": purl,
        "properties": [to_property("kind", "ekiben"), *describe_files(root, files)],
    }  # fmt: skip


def describe_python(root: Path) -> list[dict[str, Any]]:
    """Return Python itself where it is none of dpkg's packages, as in Python's own images."""
    files = find_files(root, _list_python(root))
    if not files:
        return []
    version = platform.python_version()
    purl = f"pkg:generic/python@{version}"
    return [
        {
            "type": "application", "bom-ref": purl, "name": "python", "version": version, "purl": purl,
            "cpe": f"cpe:2.3:a:python:python:{version}:*:*:*:*:*:*:*",
            "licenses": [{"license": {"id": "PSF-2.0"}}],
            "properties": [to_property("kind", "python itself"), *describe_files(root, files)],
        }
    ]  # fmt: skip


def _list_python(root: Path) -> Iterator[Path]:
    """Yield its files, which are where its own build puts them; packages have components of their own."""
    for pattern in PYTHON:
        for path in root.glob(pattern):
            yield from (path.rglob("*") if path.is_dir() and path.name not in PACKAGES else (path,))
