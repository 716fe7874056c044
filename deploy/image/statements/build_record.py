"""How an image was built: an in-toto statement with SLSA's provenance, to be signed and attached to the image."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ekiben.contract.version import VERSION
from ekiben.deploy.image.base import Base
from ekiben.deploy.image.bento import ROOT
from ekiben.deploy.image.locks import LOCKS
from ekiben.deploy.image.statements.labels import OCI
from ekiben.model.integrity import digest_file
from ekiben.model.package import PackedModel
from ekiben.model.provenance import STATEMENT
from ekiben.training.registry.git import UNKNOWN

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:ekiben:image:v1"
BUILDER_VARIABLE = "BUILDER_ID"  # a CI system's own URI
IMAGE = Path("deploy/image")
SCRIPTS = tuple(IMAGE / "slimming" / name for name in ("dpkg.py", "prune.py", "strip.py"))
RECIPE = (Path("bentofile.yaml"), IMAGE / "Dockerfile.j2", *SCRIPTS)


@dataclass(frozen=True)
class Built:
    """An image that was built, of what, and when."""

    model: PackedModel
    tag: str
    image_id: str  # the SHA-256 of its configuration, which stays as it is pushed and pulled
    engine: str
    builder: str
    base: Base
    labels: Mapping[str, str]
    began: datetime
    files: Mapping[str, Path]  # that are left beside it


def write_record(built: Built, path: Path) -> None:
    """Write the statement as JSON."""
    path.write_text(json.dumps(describe_build_of(built), indent=1) + "\n", encoding="utf-8")


def describe_build_of(built: Built) -> dict[str, Any]:
    """Return the statement."""
    return {
        "_type": STATEMENT,
        "subject": [{"name": built.tag, "digest": {"sha256": built.image_id}}],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "model": f"{built.model.name}:{built.model.version}", "engine": built.engine, "tag": built.tag
                },
                "internalParameters": {"builder": built.builder},
                "resolvedDependencies": list(list_materials(built)),
            },
            "runDetails": {
                "builder": {
                    "id": os.environ.get(BUILDER_VARIABLE) or f"urn:ekiben:builder:{built.builder}",
                    "version": {"ekiben": VERSION},
                },
                "metadata": {"startedOn": _format(built.began), "finishedOn": _format(datetime.now(UTC))},
                "byproducts": [
                    {"name": name, "digest": {"sha256": digest_file(path)}} for name, path in built.files.items()
                ],
            },
        },
    }  # fmt: skip


def list_materials(built: Built) -> Iterator[dict[str, Any]]:
    """Yield what the image is made of: base, lock, recipe, commit, and the model by its manifest."""
    yield _describe_base(built.base)
    for path in (LOCKS[built.engine], *RECIPE):
        yield {"name": path.as_posix(), "digest": {"sha256": digest_file(ROOT / path)}}
    commit, source = built.labels.get(f"{OCI}revision", UNKNOWN), built.labels.get(f"{OCI}source")
    if commit != UNKNOWN:
        changed = {"annotations": {"changed": True}} if commit.endswith("+") else {}
        address = {"uri": f"git+{source}"} if source else {"name": "source"}
        yield {**address, "digest": {"gitCommit": commit.rstrip("+")}, **changed}
    model = built.model
    yield {"name": f"model/{model.name}/{model.version}/manifest.json", "digest": {"sha256": model.digest}}


def _describe_base(base: Base) -> dict[str, Any]:
    digest = base.digest.removeprefix("sha256:")
    return {"uri": f"docker://{base.name}"} | ({"digest": {"sha256": digest}} if digest else {})


def _format(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
