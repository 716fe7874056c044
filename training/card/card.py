"""What a model card says, in sections of paragraphs and tables: `card.md` and `card.html` show the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ekiben.contract.answers import name_classes
from ekiben.contract.feature import Category, Feature, Number, Timestamp
from ekiben.contract.schema import Schema
from ekiben.contract.validation import show
from ekiben.model.importance import Importance
from ekiben.model.provenance import Definition, Run
from ekiben.model.training_scores import TrainingScores
from ekiben.training.card.importance import MAX_FEATURES, tabulate_importance
from ekiben.training.card.measures import Table, describe_calibration, tabulate_measures
from ekiben.training.card_config import CardText
from ekiben.training.wording import count

SHORT = 16  # digits of a digest
VERIFIED = "The command ekiben lineage verifies each of these."
EFFECTS = (
    "How far each feature moved the answer to a row from the mean answer, up or down, on average (Shapley values). "
    "Features that go together share what they bring; none of this says what would happen if one were changed."
)
UNDECIDED = "Nobody has said what a decision is to be good for: [decision] in problem.toml lets training choose."
OTHERWISE = "Callers may ask for labels by another threshold; probabilities are the same at any."
NOT_SAID = "Nobody has said yet: write {0} under [card] in problem.toml."


@dataclass(frozen=True)
class Section:
    """A title, and what stands under it."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Card:
    """A model card."""

    title: str
    sections: tuple[Section, ...]


def describe_model(
    schema: Schema,
    said: CardText,
    scores: TrainingScores,
    definition: Definition,
    run: Run,
    parts: Sequence[int],
    importance: Importance | None = None,
) -> Card:
    """Return the card of a model; `parts` are how many rows it was trained, validated and tested on."""
    measures = tabulate_measures(schema.target, scores)
    sections = (
        Section("Model", tuple(_describe_target(schema, run, scores.scale))),
        Section("Intended use", _split(said.intended_use, "intended_use")),
        Section("Limits", (*_split(said.limits, "limits"), *_derive_limits(schema, definition))),
        Section("Data", (), (_tabulate_data(definition, parts), _tabulate_features(schema.features))),
        Section("Measured on the test rows", (f"{count(scores.rows, 'test row')}, {scores.tested}.",), measures),
        *([] if importance is None else [_describe_effects(importance)]),
        Section("Calibration", tuple(describe_calibration(schema.target, scores))),
        *_describe_decision(schema, scores),
        Section("Owner", _split(said.owner, "owner")),
        Section(
            "Lineage", ("The command ekiben lineage verifies each of these.",), (_tabulate_lineage(definition, run),)
        ),
    )
    return Card(f"{schema.name}: model card", sections)


def _describe_target(schema: Schema, run: Run, scale: str) -> Iterator[str]:
    target = schema.target
    what = f"“{target.description}”" if target.description else f"the column “{target.name}”"
    unit = f" in {target.unit}" if target.unit else ""
    kinds = {"binary": "whether a row is true", "multiclass": "one of several classes", "regression": "a number"}
    yield f"Predicts {what}{unit}: {kinds[target.task]}, from {count(len(schema.features), 'feature')}."
    if target.task == "multiclass":
        order = ", from the lowest to the highest" if target.ordered else ""
        yield f"Classes{order}: {', '.join(map(str, target.classes))}."
    yield f"A neural network (Keras) of {run.began[:10]}, of MLflow's run {run.id}."
    if scale:
        yield f"{scale}."


def _describe_decision(schema: Schema, scores: TrainingScores) -> Iterator[Section]:
    """Yield what is decided, and why; of one of several classes, or of a number, there is nothing to say."""
    target = schema.target
    if target.task != "binary":
        return
    usual = f"“{target.name}” is {name_classes(target)[1]} from a probability of {target.threshold:g} on. {UNDECIDED}"
    yield Section("Decisions", (f"{scores.decision}." if scores.decision else usual, OTHERWISE))


def _split(text: str, entry: str) -> tuple[str, ...]:
    paragraphs = tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())
    return paragraphs or (NOT_SAID.format(entry),)


def _derive_limits(schema: Schema, definition: Definition) -> Iterator[str]:
    """Yield what follows from the data alone."""
    data = definition.data
    if data.first:
        yield f"It has seen nothing before {data.first} and nothing after {data.last}."
    if schema.categories:
        yield "A value of a category that training never saw is answered as unknown, not rejected."
    yield "Correlations of the table are all it knows: it says nothing of what would happen if a feature were changed."


def _tabulate_data(definition: Definition, parts: Sequence[int]) -> Table:
    data = definition.data
    rows = [("source", data.source), ("rows", f"{data.rows:,}")]
    rows += zip(("rows to train on", "rows to validate on", "rows to test on"), (f"{n:,}" for n in parts), strict=True)
    rows += [("first", data.first), ("last", data.last)] if data.first and data.last else []
    rows += [("digest", data.digest), *(("note", note) for note in data.notes)]
    return Table("Rows", ("", ""), tuple(rows), words=True)


def _tabulate_features(features: Sequence[Feature]) -> Table:
    cells = [(f.name, f.kind, _describe_values(f), f.description) for f in features[:MAX_FEATURES]]
    others = len(features) - MAX_FEATURES
    more = [(f"… and {others:,} more, in schema.json", "", "", "")] if others > 0 else []
    return Table("Features", ("name", "kind", "values", "meaning"), (*cells, *more), words=True)


def _describe_values(feature: Feature) -> str:
    missing = ", may be missing" if feature.nullable else ""
    if feature.optional:
        missing += ", may be left out" + ("" if feature.default is None else f" for {show(feature.default)}")
    if isinstance(feature, Category):
        return count(len(feature.vocabulary), "known value") + missing
    if isinstance(feature, Number):
        never = {"up": ", never lowers the answer", "down": ", never raises the answer"}
        steady = never[feature.monotone] if feature.monotone else ""
        return f"{feature.low:g} to {feature.high:g} {feature.unit}".rstrip() + missing + steady
    return ("with an offset" if isinstance(feature, Timestamp) and feature.zoned else "") + missing.removeprefix(", ")


def _describe_effects(importance: Importance) -> Section:
    return Section("What the answers depend on", (EFFECTS,), (tabulate_importance(importance),))


def _tabulate_lineage(definition: Definition, run: Run) -> Table:
    source, machine, before = definition.source, definition.machine, run.champion
    patch = f", with the patch {source.patch[:SHORT]}" if source.patch else ""
    rows = [
        ("run", run.id),
        ("commit", source.commit + patch),
        ("Ekiben", source.version),
        ("data digest", definition.data.digest),
        ("lock file", definition.environment.lock or "none"),
        ("seed", str(definition.options.seed)),
        ("machine", f"{machine.cpu}, {count(machine.cores, 'core')}, Python {machine.python}"),
        ("champion before", f"version {before.version}" if before else "none"),
    ]
    rows += [(f"gate: {gate.gate}", f"{gate.verdict}, {gate.sentence}") for gate in run.gates]
    return Table("What made it", ("", ""), tuple(rows), words=True)
