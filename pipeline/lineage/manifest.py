"""The manifest of a package that is being looked at."""

from pathlib import Path

from pydantic import ValidationError

from ekiben.model.package import MANIFEST_FILE, Manifest


def read_manifest(package: Path) -> Manifest | None:
    """Return a package's manifest, None if it is missing or damaged."""
    try:
        return Manifest.model_validate_json((package / MANIFEST_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
