"""Explanations are compared with those of `shap` where that is asked for: to install and compile it takes a minute."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import ROOT

ENVIRONMENT = ROOT / ".venv-peers" / "shap"
REQUIREMENTS = Path(__file__).with_name("shap.in")


@pytest.mark.skipif(
    os.environ.get("EKIBEN_SHAP") != "1",
    reason="it installs shap: EKIBEN_SHAP=1 python -m pytest tests/contract/test_shap.py",
)
def test_shap_gives_the_same_explanations() -> None:
    tests = [install(), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/against_shap.py"]
    done = subprocess.run(tests, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def install() -> Path:
    """Return a Python that has shap, in an environment of its own that is made if it is missing."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "made").exists():
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = ENVIRONMENT / "lib" / version / "site-packages"
        (packages / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "-r", REQUIREMENTS], check=True)
        (ENVIRONMENT / "made").touch()
    return python
