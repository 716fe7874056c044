"""Where the manifests are, and what is in one."""

import json
from pathlib import Path
from typing import Any

import yaml

from ekiben.service.settings import Settings
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
CHART = DEPLOY / "helm" / "ekiben"  # of templates, which are no YAML yet
DEFAULTS = {name: field.default for name, field in Settings.model_fields.items()}


def read(path: Path) -> list[Any]:
    """Return a YAML or JSON file's documents."""
    text = path.read_text(encoding="utf-8")
    return [json.loads(text)] if path.suffix == ".json" else list(yaml.safe_load_all(text))
