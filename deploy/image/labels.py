"""What an image says of itself: which model, of which run and data, from which commit."""

import bentoml

from ekiben.model.package import PackedModel
from ekiben.training.registry.git import UNKNOWN, git_commit


def describe_image(model: PackedModel, engine: str) -> dict[str, str]:
    """Return the image's labels."""
    stored = bentoml.models.get(f"{model.name}:{model.version}")
    return {
        "org.opencontainers.image.title": model.name,
        "org.opencontainers.image.version": model.version,
        "org.opencontainers.image.revision": git_commit(),
        "ekiben.engine": engine,
        "ekiben.run-id": model.manifest.run_id,
        "ekiben.manifest-digest": model.digest,
        "ekiben.schema-digest": model.schema.digest,
        "ekiben.data-digest": stored.info.labels.get("data_digest", UNKNOWN),
    }
