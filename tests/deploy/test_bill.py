"""The bill of materials says what is installed, with its licences and digests; dpkg's list says no more than that."""

import hashlib
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ekiben.deploy.image.contents import NoBill, write_table
from ekiben.deploy.image.sbom.bill import describe_python, write_bill
from ekiben.deploy.image.sbom.debian_packages import describe_debian_packages
from ekiben.deploy.image.sbom.files import to_property
from ekiben.deploy.image.sbom.python_packages import describe_python_packages
from ekiben.deploy.image.slimming.dpkg import tidy
from ekiben.model.package import PackedModel
from tests.deploy.bills import check_bill, properties

STATUS = """Package: dash
Status: install ok installed
Architecture: amd64
Version: 0.5.12-2

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u10
Description: the C library
 with more lines: than one

Package: netbase
Architecture: all
Version: 6.4
"""


def write(root: Path, name: str, content: str = "x") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file system with three packages of dpkg, one of which has lost its program, and one of Python."""
    root = tmp_path / "root"
    info = "var/lib/dpkg/info"
    write(root, "var/lib/dpkg/status", STATUS)
    write(
        root, f"{info}/dash.list", "/.\n/bin\n/bin/dash\n/usr\n/usr/bin\n/usr/share/doc/dash/copyright\n/etc/dashrc\n"
    )
    write(root, f"{info}/dash.md5sums")
    (root / "usr/bin").mkdir(parents=True, exist_ok=True)
    (root / "bin").symlink_to("usr/bin")
    write(root, f"{info}/libc6:amd64.list", "/.\n/usr\n/usr/lib\n/usr/lib/libc.so.6\n/usr/share/doc/libc6/copyright\n")
    write(
        root,
        f"{info}/netbase.list",
        "/.\n/etc\n/etc/protocols\n/usr\n/usr/share\n/usr/share/doc\n/usr/share/doc/netbase\n",
    )
    write(root, "etc/dashrc")
    write(root, "etc/protocols")
    write(root, "usr/lib/libc.so.6", "the library")
    write(root, "usr/share/doc/dash/copyright")
    write(
        root, "usr/share/doc/libc6/copyright", "Files: *\nLicense: LGPL-2.1+\n text\nLicense: GPL-2+\nLicense: GPL-2+\n"
    )
    write(root, "etc/os-release", 'ID=debian\nVERSION_ID="12"\n')
    packages = "opt/ekiben/lib/python3.11/site-packages"
    write(root, f"{packages}/some_package/core.py", "x = 1\n")
    described = "Metadata-Version: 2.4\nName: Some.Package\nVersion: 1.5\nSummary: does\nLicense-Expression: MIT\n"
    write(root, f"{packages}/some_package-1.5.dist-info/METADATA", described)
    listed = "some_package/core.py,,\nsome_package/tests/gone.py,,\nsome_package-1.5.dist-info/METADATA,,\n"
    write(root, f"{packages}/some_package-1.5.dist-info/RECORD", listed)
    return root


def test_a_package_whose_programs_are_gone_is_on_no_list(root: Path) -> None:
    assert tidy(root) == ["dash"]
    left = (root / "var/lib/dpkg/status").read_text()
    assert "Package: dash" not in left
    assert left.startswith("Package: libc6\n")
    assert "\n with more lines: than one\n\nPackage: netbase\n" in left
    assert not list((root / "var/lib/dpkg/info").glob("dash*"))
    assert not (root / "etc/dashrc").exists()
    assert not (root / "usr/share/doc/dash").exists()
    assert (root / "etc/protocols").exists()
    assert (root / "bin").is_symlink()  # a folder of other packages, too


def test_a_package_that_still_does_something_stays(root: Path) -> None:
    write(root, "usr/bin/dash")
    assert tidy(root) == []
    assert (root / "var/lib/dpkg/status").read_text().startswith("Package: dash")
    assert tidy(root / "usr") == []  # without any dpkg


def test_packages_of_debian_are_named_as_scanners_know_them(root: Path) -> None:
    tidy(root)
    libc, netbase = describe_debian_packages(root)
    assert libc["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12"
    assert [entry["license"]["name"] for entry in libc["licenses"]] == ["LGPL-2.1+", "GPL-2+"]
    listing = "".join(
        f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("usr/lib/libc.so.6", "usr/share/doc/libc6/copyright")
    )
    assert properties(libc)["files"] == "2"
    assert properties(libc)["files-sha256"] == hashlib.sha256(listing.encode()).hexdigest()
    assert "licenses" not in netbase
    assert [*describe_debian_packages(root / "usr")] == []


def test_a_package_of_python_is_described_by_the_files_that_are_left(root: Path) -> None:
    folder = root / "opt/ekiben/lib/python3.11/site-packages"
    (package,) = describe_python_packages(root, [folder])
    assert (package["purl"], package["licenses"]) == ("pkg:pypi/some-package@1.5", [{"expression": "MIT"}])
    assert properties(package)["files"] == "2"
    before = properties(package)["files-sha256"]
    (folder / "some_package/core.py").write_text("x = 2\n")
    (package,) = describe_python_packages(root, [folder])
    assert properties(package)["files-sha256"] != before


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ("Classifier: License :: OSI Approved :: BSD License\n", ["BSD License"]),
        (f"License: Apache 2.0\n        {'text ' * 50}\n", ["Apache 2.0"]),
        ("", []),
    ],
)
def test_older_ways_to_say_a_licence_are_read(root: Path, fields: str, names: list[str]) -> None:
    folder = root / "opt/ekiben/lib/python3.11/site-packages"
    metadata = folder / "some_package-1.5.dist-info/METADATA"
    metadata.write_text(f"Metadata-Version: 2.1\nName: some-package\nVersion: 1.5\n{fields}")
    (package,) = describe_python_packages(root, [folder])
    assert [entry["license"]["name"] for entry in package.get("licenses", [])] == names


def test_each_version_that_is_installed_is_in_the_bill(root: Path) -> None:
    folder, other = root / "opt/ekiben/lib/python3.11/site-packages", root / "usr/lib/python3/dist-packages"
    write(root, f"{other.relative_to(root)}/Some.Package-1.4.dist-info/METADATA", "Name: Some.Package\nVersion: 1.4\n")
    for folders in ([folder, other], [other, folder]):
        found = [package["purl"] for package in describe_python_packages(root, folders)]
        assert found == ["pkg:pypi/some-package@1.4", "pkg:pypi/some-package@1.5"]


def test_python_itself_is_described_by_its_files(tmp_path: Path) -> None:
    assert describe_python(tmp_path) == []
    write(tmp_path, "usr/local/lib/python3.11/dist-packages/other.py")  # which Debian's Python makes
    assert describe_python(tmp_path) == []
    for name in ("bin/python3.11", "lib/libpython3.so", "lib/python3.11/os.py", "lib/python3.11/json/decoder.py"):
        write(tmp_path, f"usr/local/{name}")
    write(tmp_path, "usr/local/lib/python3.11/site-packages/other.py")
    write(tmp_path, "usr/local/lib/python3.11/json/__pycache__/decoder.cpython-311.pyc")
    (python,) = describe_python(tmp_path)
    assert (properties(python)["files"], properties(python)["bytes"]) == ("4", "4")
    before = properties(python)["files-sha256"]
    write(tmp_path, "usr/local/lib/python3.11/json/decoder.py", "y")
    assert properties(describe_python(tmp_path)[0])["files-sha256"] != before


@pytest.mark.slow
def test_the_bill_names_model_and_packages_and_is_the_same_again(root: Path, model: PackedModel) -> None:
    bento = root / "opt/bento"
    write(root, "opt/bento/src/service/service.py")
    (bento / "models" / model.name).mkdir(parents=True)
    (bento / "models" / model.name / model.version).symlink_to(model.path)
    bills = [json.dumps(write_bill(root, bento, root / "opt/ekiben")) for _ in range(2)]
    assert bills[0] == bills[1]
    bill = check_bill(bills[0])
    kinds = {component["name"]: component["type"] for component in bill["components"]}
    assert kinds["ekiben"] == "application"
    assert {"some-package", "libc6"} < kinds.keys()
    described = next(one for one in bill["components"] if one["type"] == "machine-learning-model")
    assert properties(described)["manifest-digest"] == model.digest == described["hashes"][0]["content"]
    assert properties(described)["schema-digest"] == model.schema.digest
    assert {"golden-digest", "data-digest"} < properties(described).keys()


def test_what_takes_room_is_listed_by_size(tmp_path: Path) -> None:
    sizes = {"small": 1_000_000, "large": 30_000_000, "tiny": 10}
    components = [
        {"name": name, "version": "1", "properties": [to_property("kind", "python"), to_property("bytes", str(size))]}
        for name, size in sizes.items()
    ]
    path = tmp_path / "bill.json"
    path.write_text(json.dumps({"components": [*components, {"name": "model", "version": "1"}]}))
    assert write_table(path, 2).splitlines()[2:] == [
        "| large 1 | python | 30.0 |", "| small 1 | python | 1.0 |", "| 1 others | | 0.0 |",
    ]  # fmt: skip


@pytest.mark.parametrize("content", ["", "[]", '{"components": 3}'])
def test_what_is_no_bill_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "bill.json").write_text(content)
    with pytest.raises(NoBill, match=r"bill\.json is no bill of materials that `ekiben image` wrote"):
        write_table(tmp_path / "bill.json")


def test_the_validator_rejects_what_is_no_bill() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str('{"bomFormat": "other"}')
