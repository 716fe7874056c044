"""What a problem file's source says of all columns: their decimal mark, and what stands for missing."""

from typing import Any


def spell_columns(given: Any) -> Any:
    """Return a problem file in which what its source says of all columns is said of each."""
    source = given.get("source") if isinstance(given, dict) else None
    if not isinstance(source, dict) or not source.keys() & {"decimal", "null"}:
        return given
    features = given.get("features")
    spelled = {key: _spell(given[key], source) for key in ("target", "split") if key in given}
    if isinstance(features, dict):
        spelled["features"] = {name: _spell(facts, source) for name, facts in features.items()}
    return {**given, **spelled}


def _spell(facts: Any, source: dict[str, Any]) -> Any:
    """Return what is said of a column, with the source's decimal mark and markers of missing."""
    if not isinstance(facts, dict):
        return facts
    spelled = dict(facts)
    if "decimal" in source and (facts.get("kind") == "number" or facts.get("task") == "regression"):
        spelled.setdefault("decimal", source["decimal"])
    if isinstance(source.get("null"), list) and isinstance(facts.get("null", []), list):
        spelled["null"] = list(dict.fromkeys([*facts.get("null", []), *source["null"]]))
    return spelled
