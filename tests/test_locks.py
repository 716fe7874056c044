"""The locks agree with each other and with pyproject.toml: what is tested is what is shipped."""

import re
from collections.abc import Mapping

import pytest

from tests.conftest import ROOT
from tests.dependencies import REQUIREMENTS

LOCKS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "requirements").glob("*.txt")}
PINNED = re.compile(r"^(?P<name>[\w.-]+)(?:\[[\w,]+\])?==(?P<version>[^\s;\\]+)", flags=re.MULTILINE)
Versions = Mapping[str, set[str]]  # of each package; some have one for each Python


def read_versions(lines: str) -> Versions:
    """Return the versions of what is pinned, be it in a lock or in pyproject.toml."""
    versions: dict[str, set[str]] = {}
    for found in PINNED.finditer(lines):
        versions.setdefault(found["name"].lower().replace("_", "-"), set()).add(found["version"])
    return versions


def find_disagreements(one: Versions, other: Versions) -> list[str]:
    """Return one sentence for each package of which one lock has a version that the other has not."""
    return [
        f"{name} is {' and '.join(sorted(versions))} instead of {' and '.join(sorted(other.get(name, {'absent'})))}"
        for name, versions in sorted(one.items())
        if not versions <= other.get(name, set())
    ]


@pytest.mark.parametrize("lock", sorted(LOCKS.keys() - {"dev"}))
def test_a_lock_has_the_versions_that_are_tested(lock: str) -> None:
    assert len(read_versions(LOCKS[lock])) > 20
    assert find_disagreements(read_versions(LOCKS[lock]), read_versions(LOCKS["dev"])) == []


def test_the_locks_have_the_versions_that_are_declared() -> None:
    pinned = read_versions("\n".join(REQUIREMENTS))
    assert "bentoml" in pinned
    assert find_disagreements(pinned, read_versions(LOCKS["dev"])) == []


def test_a_disagreement_is_one_sentence() -> None:
    tested = read_versions("numpy==2.4.6 ; python_full_version < '3.12' \\\nnumpy==2.5.5\nPyYAML==6.0.4 \\\n")
    assert find_disagreements(read_versions("numpy==2.5.5 \\\n    # via x==1\n"), tested) == []
    assert find_disagreements(read_versions("pyyaml==6.0.3 \\\nsix==1.17.0"), tested) == [
        "pyyaml is 6.0.3 instead of 6.0.4",
        "six is 1.17.0 instead of absent",
    ]
