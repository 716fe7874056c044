"""Publishes a version's manifest in MLflow, so that who has the registry alone can fetch and verify its package."""

from pathlib import Path

from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from ekiben.model.integrity import digest_file
from ekiben.model.package import MANIFEST_FILE, PACKAGE, Manifest, PackedModel
from ekiben.model.store import DIGEST_LABEL
from ekiben.training.registry.storing import write_manifest


def publish_package(package: Path, version: str, run_id: str) -> None:
    """Write the manifest of a package whose other files are logged already, and publish it."""
    write_manifest(package, version, run_id)
    path = package / MANIFEST_FILE
    publish_manifest(path, Manifest.model_validate_json(path.read_bytes()))


def publish_again(registered: ModelVersion, stored: PackedModel) -> None:
    """Publish the manifest of what is in the BentoML store, if the version was registered before that was done."""
    if registered.tags.get(DIGEST_LABEL) != stored.digest:
        publish_manifest(stored.path / MANIFEST_FILE, stored.manifest)


def publish_manifest(path: Path, manifest: Manifest) -> None:
    """Add the manifest's file to the version's run, and its digest to the version's tags."""
    client = MlflowClient()
    client.log_artifact(manifest.run_id, str(path), PACKAGE)
    client.set_model_version_tag(manifest.name, manifest.version, DIGEST_LABEL, digest_file(path))
