"""What `kubectl apply -k` would send of deploy/kubernetes, and who in it selects whom."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("single", "production", "sized", "small", "scale-to-zero", "another-model")
KUBECTL = shutil.which("kubectl")
OLDEST = 28  # the first kubectl of which a component sees what its kustomization generates
Rendered = dict[tuple[str, str], dict[str, Any]]  # by kind and name


def find_minor() -> int:
    """Return kubectl's version, without the `1.`; 0 if there is none."""
    if not KUBECTL:
        return 0
    done = subprocess.run([KUBECTL, "version", "--client", "-o", "json"], capture_output=True, text=True, check=True)
    return int("".join(filter(str.isdigit, json.loads(done.stdout)["clientVersion"]["minor"])))


needs_kubectl = pytest.mark.skipif(find_minor() < OLDEST, reason=f"kubectl is not installed, or older than 1.{OLDEST}")


def render(folder: Path) -> Rendered:
    """Return what would be sent."""
    done = subprocess.run([str(KUBECTL), "kustomize", folder], capture_output=True, text=True, check=True)
    documents = yaml.safe_load_all(done.stdout)
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def write_overlay(folder: Path, name: str, base: str = "single", components: str = "", **more: Any) -> Path:
    """Write another-model's kustomization with that name, on that base, into a copy of deploy/kubernetes."""
    if not (folder / "kubernetes").exists():
        shutil.copytree(KUBERNETES, folder / "kubernetes")
    written = yaml.safe_load((KUBERNETES / "another-model" / "kustomization.yaml").read_text(encoding="utf-8"))
    written["resources"] = [f"../{base}"]
    written["components"] += [f"../components/{component}" for component in components.split()]
    written["configMapGenerator"][0]["literals"] = [f"instance={name}"]
    overlay = folder / "kubernetes" / name
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(written | more))
    return overlay


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def find_selectors(rendered: Rendered) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield whoever selects pods, and the labels that it asks for."""
    for (kind, name), document in rendered.items():
        spec = document.get("spec", {})
        if kind == "Service":
            yield f"{kind} {name}", spec["selector"]
        elif kind == "NetworkPolicy":
            yield f"{kind} {name}", spec["podSelector"]["matchLabels"]
        elif kind in {"Deployment", "PodDisruptionBudget"}:
            yield f"{kind} {name}", spec["selector"]["matchLabels"]
        if kind == "Deployment":
            for spread in spec["template"]["spec"]["topologySpreadConstraints"]:
                yield f"spread of {name}", spread["labelSelector"]["matchLabels"]


def pod_labels(rendered: Rendered) -> dict[str, str]:
    """Return the labels of the one Deployment's pods."""
    (labels,) = (
        one["spec"]["template"]["metadata"]["labels"] for (kind, _), one in rendered.items() if kind == "Deployment"
    )
    return dict(labels)


def find_scraped(rendered: Rendered) -> list[dict[str, str]]:
    """Return the labels of each Service's replicas in Prometheus, as the ServiceMonitor has them."""
    (monitor,) = (one["spec"] for (kind, _), one in rendered.items() if kind == "ServiceMonitor")
    (endpoint,) = monitor["endpoints"]
    services = (one for (kind, _), one in rendered.items() if kind == "Service")
    found = []
    for service in services:
        labels = service["metadata"]["labels"]
        ports = {port["name"] for port in service["spec"]["ports"]}
        if matches(monitor["selector"]["matchLabels"], labels) and endpoint["port"] in ports:
            kept = {label.translate(str.maketrans("./-", "___")): labels[label] for label in monitor["targetLabels"]}
            found.append({"job": labels[monitor["jobLabel"]], **kept})
    return found
