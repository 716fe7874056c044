"""Imports go down: contract ← model ← service, training, monitoring ← load_tests, deploy ← pipeline ← commands."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What each room may import besides itself. Engines that run the pipeline's steps stand above it, in a room below it.
BELOW = {
    "contract": set(),
    "model": {"contract"},
    "service": {"contract", "model"},
    "training": {"contract", "model"},
    "monitoring": {"contract", "model"},
    "load_tests": {"contract", "model", "service", "training", "monitoring"},
    "deploy": {"contract", "model", "service", "training", "monitoring", "load_tests"},
    "pipeline": {"contract", "model", "training", "monitoring", "deploy"},
    "deploy/kubeflow": {"pipeline"},
    "deploy/sagemaker": {"pipeline"},
    "notebooks": {"contract", "model", "training"},
    "commands": {"contract", "model", "service", "training", "monitoring", "load_tests", "deploy", "pipeline"},
    "docs": {"contract", "model", "service", "training", "commands"},
}


def find_modules() -> list[Path]:
    """Return every module in a room of the repository, by its path in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*/*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def find_imports(code: str) -> Iterator[str]:
    """Yield the dotted name of all that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def find_faults(path: Path, code: str) -> list[str]:
    """Return what a module imports against the rules."""
    return [
        f"{path} imports {name}: {rule}" for name in find_imports(code) if (rule := find_rule(path, name.split(".")))
    ]


def find_rule(path: Path, imported: list[str]) -> str:
    """Return the rule that an import breaks, or ""."""
    within = "/".join(path.parts[:2])
    room = within if within in BELOW else path.parts[0]
    if imported[0] in BELOW or imported[0] == "":
        return "write `ekiben.` before it, or the module is loaded twice"
    ours = imported[0] == "ekiben" and len(imported) > 1 and room in BELOW
    if ours and imported[1] not in BELOW[room] | {path.parts[0]}:
        return f"{room} may import {', '.join(sorted(BELOW[room])) or 'no other room'}"
    if imported[0] == "tests" and room != "tests":
        return "only tests import tests"
    if imported[0] == "tests" and any(part.startswith("test_") for part in imported[:-1]):
        return "move what tests share to a module that is no test"
    return ""


def test_imports_go_down() -> None:
    modules = find_modules()
    assert {path.parts[0] for path in modules} - {"tests"} <= BELOW.keys()
    assert [fault for path in modules for fault in find_faults(path, (ROOT / path).read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("path", "code", "fault"),
    [
        ("contract/schema.py", "import ekiben.model.golden", "contract may import no other room"),
        ("model/store.py", "from ekiben.service.errors import NotReady", "model may import contract"),
        ("service/service.py", "def late():\n    from ekiben import training", "service may import contract, model"),
        ("training/train.py", "from ekiben.service import settings", "training may import contract, model"),
        ("monitoring/drift.py", "from ekiben.training.wording import quote", "monitoring may import contract, model"),
        ("load_tests/soak.py", "import ekiben.deploy.image.bento", "load_tests may import contract, model, monitoring"),
        ("deploy/image/build.py", "from ekiben.commands import serve", "deploy may import contract, load_tests"),
        ("deploy/image/build.py", "from ekiben.pipeline.run import run", "deploy may import contract, load_tests"),
        ("deploy/kubeflow/pipeline.py", "from ekiben.service import auth", "deploy/kubeflow may import pipeline"),
        ("service/auth.py", "from service.errors import NotReady", "write `ekiben.` before it"),
        ("service/auth.py", "from .errors import NotReady", "write `ekiben.` before it"),
        ("deploy/image/bento.py", "from tests.conftest import ROOT", "only tests import tests"),
        ("tests/service/test_auth.py", "from tests.service.test_tls import files", "a module that is no test"),
    ],
)  # fmt: skip
def test_what_goes_up_is_named(path: str, code: str, fault: str) -> None:
    (found,) = find_faults(Path(path), code)
    assert found.startswith(f"{path} imports ")
    assert fault in found
