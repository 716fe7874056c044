"""The packed model as a component, by the digests that services, labels and provenance know it by."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ekiben.deploy.image.sbom.files import to_property
from ekiben.model.integrity import digest_file
from ekiben.model.package import GOLDEN_FILE, MANIFEST_FILE, PROVENANCE_FILE, open_model

TASKS = {"binary": "binary classification", "multiclass": "multiclass classification", "regression": "regression"}


def describe_models(bento: Path) -> Iterator[dict[str, Any]]:
    """Yield a component for each packed model of a bento, whose files are checked on the way."""
    for manifest in sorted(bento.glob(f"models/*/*/{MANIFEST_FILE}")):
        yield _describe(manifest.parent)


def _describe(folder: Path) -> dict[str, Any]:
    digest = digest_file(folder / MANIFEST_FILE)
    model = open_model(folder, digest)
    data = model.provenance.definition.data if model.provenance else None
    digests = {
        "manifest-digest": digest,
        "schema-digest": model.schema.digest,
        "golden-digest": model.manifest.files.get(GOLDEN_FILE),
        "provenance-digest": model.manifest.files.get(PROVENANCE_FILE),
        "data-digest": data.digest if data else None,
        "run-id": model.manifest.run_id,
        "engine": model.manifest.engine,
    }
    trained_on = [{"type": "dataset", "name": data.source, "description": f"{data.rows:,} rows"}] if data else []
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{model.name}:{model.version}",
        "name": model.name,
        "version": model.version,
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "modelCard": {"modelParameters": {"task": TASKS[model.schema.target.task], "datasets": trained_on}},
        "properties": [to_property(name, value) for name, value in digests.items() if value],
    }
