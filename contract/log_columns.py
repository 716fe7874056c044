"""The columns of the row log, by which those who write it and those who read it know them."""

from collections.abc import Sequence

from ekiben.contract.schema import Schema, Target

ID, TIME, VERSION, SHARE = FIXED = ("prediction_id", "time", "version", "share")
ANSWER, LABEL = "answer", "label"
BOUNDS = ("answer.low", "answer.high")  # of a regression's interval; parts of before it was logged lack them
TARGET_KEY, SCHEMA_KEY = "ekiben.target", "ekiben.schema"  # of a part's metadata: what is answered, and its digest
PREFIX = "feature."  # of a feature that is called as a column of the log's own


def name_answers(target: Target) -> tuple[str, ...]:
    """Return the columns of the answers: one, one for each of several classes, or a value and its bounds."""
    if target.task == "regression":
        return (ANSWER, *BOUNDS)
    return tuple(f"{ANSWER}.{name}" for name in target.outputs) if target.task == "multiclass" else (ANSWER,)


def name_required(target: Target) -> tuple[str, ...]:
    """Return those of the columns of the answers that every part of a log has."""
    return (ANSWER,) if target.task == "regression" else name_answers(target)


def name_features(names: Sequence[str], target: Target) -> dict[str, str]:
    """Return the column of each feature: its name, with a prefix where the log has a column of that name itself."""
    reserved = {*FIXED, *name_answers(target)}
    taken = reserved | set(names)
    columns = {}
    for name in names:
        column = name
        while column in reserved or (column != name and column in taken):
            column = PREFIX + column
        columns[name] = column
    return columns


def name_columns(schema: Schema) -> dict[str, str]:
    """Return the column of each feature of a schema."""
    return name_features(schema.names, schema.target)
