"""A bill of materials, read and checked as others would."""

import json
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def check_bill(text: str) -> dict[str, Any]:
    """Return a bill that CycloneDX's own validator finds nothing wrong with."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill: dict[str, Any] = json.loads(text)
    return bill


def properties(component: dict[str, Any]) -> dict[str, str]:
    return {entry["name"].removeprefix("ekiben:"): entry["value"] for entry in component["properties"]}
