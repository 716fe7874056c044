"""What an image says of itself: which model, of which run and data, from which commit."""

import bentoml

from ekiben.model.package import PROVENANCE_FILE, PackedModel
from ekiben.training.registry.git import UNKNOWN, git_commit

TITLE_LABEL = "org.opencontainers.image.title"
VERSION_LABEL = "org.opencontainers.image.version"
RUN_LABEL = "ekiben.run-id"
MANIFEST_LABEL = "ekiben.manifest-digest"
PROVENANCE_LABEL = "ekiben.provenance-digest"


def describe_image(model: PackedModel, engine: str) -> dict[str, str]:
    """Return the image's labels."""
    stored = bentoml.models.get(f"{model.name}:{model.version}")
    provenance = model.manifest.files.get(PROVENANCE_FILE)
    return {
        TITLE_LABEL: model.name,
        VERSION_LABEL: model.version,
        "org.opencontainers.image.revision": git_commit(),
        "ekiben.engine": engine,
        RUN_LABEL: model.manifest.run_id,
        MANIFEST_LABEL: model.digest,
        "ekiben.schema-digest": model.schema.digest,
        "ekiben.data-digest": stored.info.labels.get("data_digest", UNKNOWN),
        **({PROVENANCE_LABEL: provenance} if provenance else {}),
    }
