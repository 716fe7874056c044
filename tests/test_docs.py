"""Every file and folder that a page names is there, and the README's tree names every folder."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Of a folder and what is in it; `../` and addresses begin otherwise.
PATH = re.compile(r"(?<![\w./:@-])(?:[\w.-]+/)+[\w.-]*(?![\w/*<…])")
FILE = re.compile(r"`([\w-]+\.(?:py|md|toml))`")
MADE = {
    "deploy/compose/.env": "written by its reader",
    "service/flight-delay": "what kubectl calls the service",
    "deploy/kubernetes/flight-delay": "copied by its reader",
    "problem.toml": "written by `init`",
    "card.md": "written by `train`",
    "notebooks/run/": "written by `make notebook`",
}
# A folder for each platform, each server, the same rooms again, and what makes a site of the pages.
UNOPENED = {"deploy", "requirements", "tests", "docs"}


@cache
def list_files() -> tuple[str, ...]:
    """Return every file of the repository, by its path in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(name for name in listed.stdout.splitlines() if (ROOT / name).exists())


def find_missing(page: str) -> list[str]:
    """Return the paths in our folders, and the files without one, that a page names and that are not there."""
    folders = {name.partition("/")[0] for name in list_files() if "/" in name}
    names = {Path(name).name for name in list_files()}
    paths = (found.rstrip(".") for found in PATH.findall(page))
    missing = {path for path in paths if path.partition("/")[0] in folders and not (ROOT / path).exists()}
    missing |= {name for name in FILE.findall(page) if name not in names}
    return sorted(missing - MADE.keys())


@pytest.mark.parametrize("page", [name for name in list_files() if name.endswith(".md") and name != "CHANGELOG.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    assert find_missing((ROOT / page).read_text(encoding="utf-8")) == []


def test_what_is_not_there_is_named() -> None:
    page = "See `service/gone.py`, tests/gone/, `absent.py`, `service/service.py`, a/b.py and docs/load.md."
    assert find_missing(page) == ["absent.py", "service/gone.py", "tests/gone/"]


def list_folders() -> set[str]:
    """Return the names of the rooms, and of the folders right below most of them."""
    paths = {Path(name).parent.parts for name in list_files()}
    rooms = {parts[0] for parts in paths if parts} - {".github", ".ci"}
    return rooms | {parts[1] for parts in paths if len(parts) > 1 and parts[0] in rooms - UNOPENED}


def test_the_tree_names_every_folder() -> None:
    (tree,) = re.findall(r"^```text\n(ekiben/\n.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    assert {"batching", "registry", "docs"} < list_folders()
    assert {name for name in list_folders() if f" {name}/" not in tree} == set()
