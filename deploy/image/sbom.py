"""The bill of materials: every Python package of the image with its hashes, as CycloneDX."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from ekiben.contract.errors import UserError
from ekiben.deploy.image.bento import ROOT

TOOL = "cyclonedx_py"


class SbomFailed(UserError):
    """No bill of materials could be made."""


def write_sbom(requirements: Path, path: Path) -> None:
    """Write the packages that a lock names as CycloneDX JSON; the same lock gives the same file."""
    if not find_spec(TOOL):
        raise SbomFailed(f"this command needs {TOOL}, which is not installed: pip install cyclonedx-bom")
    command = [sys.executable, "-m", TOOL, "requirements", str(ROOT / requirements), "--output-reproducible"]
    done = subprocess.run([*command, "-o", str(path)], capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise SbomFailed(f"no bill of materials can be made of {requirements}: cyclonedx-py said {said}")
