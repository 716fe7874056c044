"""What `helm install` would send of the chart in deploy/helm."""

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.deploy.kustomize import Rendered

CHART = ROOT / "deploy" / "helm" / "ekiben"
HELM = shutil.which("helm")
needs_helm = pytest.mark.skipif(not HELM, reason="helm is not installed: .ci/install-helm")
HELMS_OWN = ("app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/settings")


def helm(*arguments: str, fails: bool = False) -> str:
    """Run Helm, and return what it prints or, if it fails, complains of."""
    done = subprocess.run([str(HELM), *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def values(*names: str) -> list[str]:
    return [f"--values={CHART / name}" for name in names]


def template(*options: str, name: str = "flight-delay") -> Rendered:
    """Return what `helm install` would send, by kind and name."""
    documents = [one for one in yaml.safe_load_all(helm("template", name, str(CHART), *options)) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in documents}


def without(tree: Any, *keys: str) -> Any:
    """Return the tree without these keys, and without what is empty; lists of what has names in their order."""
    if isinstance(tree, dict):
        kept = {key: without(value, *keys) for key, value in tree.items() if key not in keys}
        return {key: value for key, value in kept.items() if value not in ({}, [], None)}
    if isinstance(tree, list):
        kept_items = [without(one, *keys) for one in tree]
        named = all(isinstance(one, dict) and "name" in one for one in kept_items)
        return sorted(kept_items, key=lambda one: str(one["name"])) if named else kept_items
    return tree


def complaint(*options: str) -> str:
    """Return the last line of what Helm says of values that it rejects."""
    lines = helm("template", "flight-delay", str(CHART), *options, fails=True).splitlines()
    return [line for line in lines if line and not line.startswith("Use --debug")][-1].strip()
