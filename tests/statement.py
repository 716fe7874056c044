"""A provenance statement of a model that nobody trained."""

from typing import Any

STATEMENT: dict[str, Any] = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [{"name": "model.tflite", "digest": {"sha256": "ab" * 32}}],
    "predicateType": "urn:ekiben:training:v1",
    "predicate": {
        "definition": {
            "source": {
                "commit": "c0ffee+",
                "patch": "cd" * 32,
                "patch_kept": True,
                "version": "1.0.0",
                "code": "ef" * 32,
            },
            "data": {"digest": "0123456789abcdef", "rows": 400, "source": "goods.csv"},
            "problem": {"name": "goods", "features": {"size": {}, "colour": {}, "age": {}}},
            "options": {"seed": 3, "split_seed": 0},
            "environment": {"lock": None, "packages": {"keras": "3.15.1"}},
            "machine": {"cpu": "an abacus", "cores": 2, "architecture": "x", "system": "y", "python": "3.11.7"},
        },
        "run": {"id": "0" * 32, "began": "2026-11-27T20:00:00+00:00", "packed": "2026-11-27T20:01:00+00:00"},
    },
}
