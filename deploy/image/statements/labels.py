"""What an image says of itself: which model, of which run and data, from which commit, on which base."""

import os
from datetime import UTC, datetime

import bentoml

from ekiben.contract.errors import UserError
from ekiben.contract.version import VERSION
from ekiben.deploy.image.base import Base
from ekiben.model.package import PROVENANCE_FILE, PackedModel
from ekiben.training.registry.git import UNKNOWN, git_commit, read_commit_time, read_remote

OCI = "org.opencontainers.image."
TITLE_LABEL = f"{OCI}title"
VERSION_LABEL = f"{OCI}version"
RUN_LABEL = "ekiben.run-id"
MANIFEST_LABEL = "ekiben.manifest-digest"
PROVENANCE_LABEL = "ekiben.provenance-digest"
LICENCE = "Apache-2.0"  # Ekiben's, as pyproject.toml has it; those of the rest are in the bill of materials


class InvalidTime(UserError):
    """SOURCE_DATE_EPOCH is no time."""


def describe_image(model: PackedModel, engine: str, base: Base) -> dict[str, str]:
    """Return the image's labels."""
    stored = bentoml.models.get(f"{model.name}:{model.version}")
    provenance = model.manifest.files.get(PROVENANCE_FILE)
    return {
        TITLE_LABEL: model.name,
        VERSION_LABEL: model.version,
        f"{OCI}description": f"Version {model.version} of {model.name}, served by Ekiben {VERSION} with {engine}",
        f"{OCI}licenses": LICENCE,
        **describe_build(),
        **describe_base(base),
        "ekiben.version": VERSION,
        "ekiben.engine": engine,
        RUN_LABEL: model.manifest.run_id,
        MANIFEST_LABEL: model.digest,
        "ekiben.schema-digest": model.schema.digest,
        "ekiben.data-digest": stored.info.labels.get("data_digest", UNKNOWN),
        **({PROVENANCE_LABEL: provenance} if provenance else {}),
    }


def describe_build() -> dict[str, str]:
    """Return of which commit an image is, where that can be had, and when it was made, as far as it is known."""
    known = {"revision": git_commit(), "source": read_remote(), "created": find_time()}
    return {f"{OCI}{name}": value for name, value in known.items() if value}


def describe_base(base: Base) -> dict[str, str]:
    """Return the name of the base, and its digest if it has one."""
    return {f"{OCI}base.name": base.name} | ({f"{OCI}base.digest": base.digest} if base.digest else {})


def find_time() -> str:
    """Return the time that a build is of, ISO in UTC: SOURCE_DATE_EPOCH's, the commit's, or else now.

    With the first two the same commit gives the same labels. Raises InvalidTime if the variable is no time.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        seconds = int(given) if given else read_commit_time()
        moment = datetime.fromtimestamp(seconds, UTC) if seconds is not None else datetime.now(UTC)
    except (ValueError, OverflowError, OSError):
        raise InvalidTime(f"SOURCE_DATE_EPOCH={given!r}: expected seconds since 1970, such as 1790000000") from None
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
