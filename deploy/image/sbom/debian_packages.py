"""The packages of dpkg's list, with the digest of the files that are left of each."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ekiben.deploy.image.sbom.files import describe_files, find_files, to_property

STATUS, INFO = "var/lib/dpkg/status", "var/lib/dpkg/info"
RELEASE = "etc/os-release"
FIELD = re.compile(r"^(?P<name>[A-Za-z-]+): *(?P<value>.*)$", re.MULTILINE)
LICENCE = re.compile(r"^License: *(\S.*)$", re.MULTILINE)


def describe_debian_packages(root: Path) -> Iterator[dict[str, Any]]:
    """Yield a component for each package that dpkg lists; none where there is no dpkg."""
    release = read_release(root)
    for fields in read_status(root):
        yield _describe(root, fields, release)


def read_status(root: Path) -> list[dict[str, str]]:
    """Return the fields of each package in dpkg's list, by name."""
    path = root / STATUS
    if not path.is_file():
        return []
    paragraphs = path.read_text(encoding="utf-8").split("\n\n")
    fields = ({found["name"]: found["value"] for found in FIELD.finditer(text)} for text in paragraphs)
    return sorted((one for one in fields if "Package" in one), key=lambda one: one["Package"])


def read_release(root: Path) -> dict[str, str]:
    """Return what os-release says: ID, VERSION_ID and others."""
    path = root / RELEASE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def read_licences(root: Path, package: str) -> list[dict[str, Any]]:
    """Return the licences that a package's copyright file names; images often lack the file."""
    path = root / "usr/share/doc" / package / "copyright"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return [{"license": {"name": name}} for name in dict.fromkeys(line.strip() for line in LICENCE.findall(text))]


def _describe(root: Path, fields: dict[str, str], release: dict[str, str]) -> dict[str, Any]:
    name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
    vendor, number = release.get("ID", "debian"), release.get("VERSION_ID", "")
    distribution = f"&distro={vendor}-{number}" if number else ""
    purl = f"pkg:deb/{vendor}/{quote(name)}@{quote(version, safe='')}?arch={architecture}{distribution}"
    licences = read_licences(root, name)
    return (
        {"type": "library", "bom-ref": purl, "name": name, "version": version}
        | ({"licenses": licences} if licences else {})
        | {
            "purl": purl,
            "properties": [
                to_property("kind", "debian"),
                to_property("architecture", architecture),
                *describe_files(root, find_files(root, _list_files(root, name, architecture))),
            ],
        }
    )


def _list_files(root: Path, name: str, architecture: str) -> Iterator[Path]:
    for stem in (name, f"{name}:{architecture}"):
        path = root / INFO / f"{stem}.list"
        if path.is_file():
            yield from (root / line.lstrip("/") for line in path.read_text(encoding="utf-8").splitlines())
