"""What Kubernetes takes, by the schemas of its oldest and newest version here."""

from typing import Any

import kubernetes_validate

# Kinds that a cluster learns from what is installed there: no schema of Kubernetes knows them.
CUSTOM = {"ServiceMonitor", "ServingRuntime", "InferenceService", "InterceptorRoute", "ScaledObject"}
# The oldest Kubernetes with gRPC probes, and the newest that the schemas know.
VERSIONS = ("1.27", kubernetes_validate.latest_version())


def validate(document: dict[str, Any]) -> None:
    """Raise unless Kubernetes takes the document; of custom kinds the schemas know nothing."""
    if document["kind"] in CUSTOM:
        return
    for version in VERSIONS:
        kubernetes_validate.validate(document, version, strict=True)
