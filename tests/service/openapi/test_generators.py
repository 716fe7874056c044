"""Other people's validators agree with the document, and clients that are made from it call every route.

They take minutes, programs of npm and Java: so they run where that is asked for.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Server
from tests.service.openapi.conftest import TOKEN

HERE = Path(__file__).parent / "generators"
ENVIRONMENT = ROOT / ".venv-peers" / "openapi"
NODE, PYTHON = ENVIRONMENT / "node", ENVIRONMENT / "bin" / "python"
PACKAGES = "import openapi_generator_cli; print(openapi_generator_cli.__path__[0])"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("EKIBEN_OPENAPI") != "1",
        reason="it installs Node's packages and takes minutes: EKIBEN_OPENAPI=1 python -m pytest tests/service/openapi",
    ),
]


def run(*command: object, folder: Path = HERE, **environment: str) -> str:
    """Run a program; it must succeed."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=os.environ | environment, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def programs() -> Path:
    """The folder of Node's programs, after all are installed, each lock once."""
    if not PYTHON.exists():
        run(sys.executable, "-m", "venv", ENVIRONMENT)
        pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run(*pip, "--no-deps", "--require-hashes", "-r", HERE / "python.txt")
    if not NODE.exists():
        NODE.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, NODE)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", folder=NODE)
    return NODE / "node_modules" / ".bin"


@pytest.fixture(scope="module")
def saved(document: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


def generate(*options: object) -> str:
    """Run openapi-generator, a Java program within a Python package."""
    folder = run(PYTHON, "-c", PACKAGES).strip()
    return run("java", "-jar", f"{folder}/openapi-generator.jar", *options)


def test_redocly_finds_nothing(programs: Path, saved: Path) -> None:
    found = json.loads(run(programs / "redocly", "lint", saved, "--config=redocly.yaml", "--format=json"))
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, found


def test_spectral_finds_nothing(programs: Path, saved: Path) -> None:
    printed = run(programs / "spectral", "lint", saved, "--ruleset=spectral.yaml", "--format=json")
    assert printed.startswith("[]"), printed  # a sentence follows


def test_openapi_generator_finds_nothing(programs: Path, saved: Path) -> None:
    assert "No validation issues detected." in generate("validate", "-i", saved)


@pytest.mark.usefixtures("loads_again")
def test_a_python_client_calls_every_route(programs: Path, saved: Path, documented: Server, tmp_path: Path) -> None:
    output = ["--output-path", tmp_path / "made", "--meta=none", "--config=client.yaml", "--fail-on-warning"]
    run(PYTHON.with_name("openapi-python-client"), "generate", "--path", saved, *output)
    called = run(PYTHON, "python_client.py", saved, documented.url, TOKEN, PYTHONPATH=str(tmp_path))
    assert called.count(" 200\n") == count_operations(saved)


@pytest.mark.usefixtures("loads_again")
def test_a_typescript_client_calls_every_route(programs: Path, saved: Path, documented: Server, tmp_path: Path) -> None:
    generate("generate", "-g", "typescript-fetch", "-i", saved, "-o", tmp_path)
    shutil.copy(HERE / "tsconfig.json", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "commonjs"}')
    run(programs / "tsc", "-p", tmp_path)
    called = run("node", "typescript_client.cjs", tmp_path, saved, documented.url, TOKEN)
    assert called.count(" 200\n") == count_operations(saved)


def count_operations(saved: Path) -> int:
    return sum(map(len, json.loads(saved.read_text())["paths"].values()))
