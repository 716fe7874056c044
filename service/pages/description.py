"""What the page is made from: a model's schema, and what of training's rows helps to choose a value."""

from collections.abc import Mapping, Sequence
from typing import Any

from ekiben.contract.category_codes import MISSING
from ekiben.contract.feature import Category, Feature, Number, Timestamp
from ekiben.contract.reference.bins import BooleanBins, CategoryBins
from ekiben.contract.reference.reference import Distribution
from ekiben.contract.schema import Schema, Target
from ekiben.model.package import PackedModel
from ekiben.service.pages.histogram import draw

MAX_VALUES, ALL_VALUES = 1000, 20_000  # that are listed of a category's vocabulary, and of all of them together
DIGITS = 5


def describe_model(model: PackedModel) -> dict[str, Any]:
    """Return a model as JSON will hold it: its target, and its features in their order."""
    schema, reference, scores = model.schema, model.reference, model.training_scores
    known = {one.column: one for one in reversed(reference.distributions)} if reference else {}
    described: dict[str, Any] = {
        "model": model.name,
        "version": model.version,
        "run": model.manifest.run_id,
        "digest": model.digest,
        "target": _describe_target(schema.target, known),
        "answers": [_draw_answers(one) for one in reference.answers] if reference else [],
        "features": _describe_features(schema, known),
        "rows": reference.rows if reference else None,
    }
    if importance := model.importance:
        described["importance"] = importance.model_dump()
    if scores:
        described |= {"scores": scores.scores, "tested": scores.tested, "calibration": scores.calibration}
    return described


def _describe_target(target: Target, known: Mapping[str, Distribution]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": target.name,
        "description": target.description,
        "unit": target.unit,
        "task": target.task,
        "classes": target.classes,
        **({"threshold": target.threshold} if target.task == "binary" else {}),
    }
    distribution = known.get(target.name)
    if distribution and isinstance(distribution.bins, CategoryBins):
        named = dict(zip(distribution.bins.values, distribution.shares, strict=False))
        described["shares"] = [round(named.get(str(label), 0.0), DIGITS) for label in target.classes]
    elif distribution:
        described["histogram"] = draw(distribution)
    return described


def _draw_answers(distribution: Distribution) -> dict[str, Any]:
    edges = getattr(distribution.bins, "edges", ())
    return {"name": distribution.column, "edges": edges, "shares": [round(one, DIGITS) for one in distribution.shares]}


def _describe_features(schema: Schema, known: Mapping[str, Distribution]) -> list[dict[str, Any]]:
    most = min(MAX_VALUES, ALL_VALUES // max(len(schema.categories), 1))
    return [_describe_feature(feature, known.get(feature.name), most) for feature in schema.features]


def _describe_feature(feature: Feature, distribution: Distribution | None, most: int) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": feature.name,
        "kind": feature.kind,
        "unit": feature.unit,
        "description": feature.description,
        "nullable": feature.nullable,
        **({"default": feature.default} if feature.optional else {}),
        "example": feature.example,
        "missing": round(distribution.missing, DIGITS) if distribution else None,
    }
    if isinstance(feature, Number):
        histogram = draw(distribution) if distribution else None
        described |= {"low": feature.low, "high": feature.high, "histogram": histogram}
    elif isinstance(feature, Category):
        values = _list_values(feature, distribution)
        described |= {"values": values[:most], "known": len(values), "integers": feature.integers}
    elif isinstance(feature, Timestamp):
        span = distribution.span if distribution else None
        described |= {"zoned": feature.zoned, "cycles": feature.cycles, "span": span}
    elif distribution and isinstance(distribution.bins, BooleanBins):
        described["shares"] = [round(share, DIGITS) for share in distribution.shares[:2]]
    return described


def _list_values(feature: Category, distribution: Distribution | None) -> Sequence[tuple[str, float | None]]:
    """Return the values by their frequency in training, as far as it is known, and then the others as they are kept."""
    shares: dict[str, float] = {}
    if distribution and isinstance(distribution.bins, CategoryBins):
        shares = dict(zip(distribution.bins.values, distribution.shares, strict=False))
    values = [value for value in feature.vocabulary if value != MISSING]
    frequent = sorted((value for value in values if value in shares), key=lambda value: -shares[value])
    rare = ((value, None) for value in values if value not in shares)
    return [*((value, round(shares[value], DIGITS)) for value in frequent), *rare]
