"""The Python packages of an environment: what their metadata says, and the digest of what is left of each."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from ekiben.deploy.image.sbom.files import describe_files, find_files, to_property

OSI = "License :: OSI Approved :: "
MAX_LICENCE = 100  # characters: some packages have the whole text where its name should be


def describe_python_packages(root: Path, folders: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield a component for each package, in each of its versions, that is installed in these site-packages folders."""
    installed = distributions(path=[str(folder) for folder in folders])
    found = {(to_pypi_name(one.metadata["Name"]), one.version): one for one in installed}
    for name, version in sorted(found):
        yield _describe(root, name, found[name, version])


def to_pypi_name(name: str) -> str:
    """Return a name as package URLs have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _describe(root: Path, name: str, package: Distribution) -> dict[str, Any]:
    files = find_files(root, (Path(str(file.locate())).resolve() for file in package.files or ()))
    purl = f"pkg:pypi/{name}@{package.version}"
    described: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": package.version}
    licences = read_licences(package)
    summary = _read(package, "Summary")
    return (
        described
        | ({"description": summary} if summary else {})
        | ({"licenses": licences} if licences else {})
        | {"purl": purl, "properties": [to_property("kind", "python"), *describe_files(root, files)]}
    )


def read_licences(package: Distribution) -> list[dict[str, Any]]:
    """Return a package's licences: its SPDX expression, or the names that its metadata has."""
    if expression := _read(package, "License-Expression"):
        return [{"expression": expression}]
    names = [value.removeprefix(OSI) for value in package.metadata.get_all("Classifier") or () if value.startswith(OSI)]
    stated = _read(package, "License")
    if not names and stated:
        names = [stated.splitlines()[0][:MAX_LICENCE]]
    return [{"license": {"name": name}} for name in dict.fromkeys(names)]


def _read(package: Distribution, field: str) -> str:
    return str(next(iter(package.metadata.get_all(field) or ()), "")).strip()
