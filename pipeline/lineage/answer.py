"""An answer by its prediction id: the row that a service logged of it, and the version that gave it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ekiben.contract.errors import UserError
from ekiben.contract.log_columns import ID, SCHEMA_KEY, TIME, VERSION
from ekiben.contract.validation import shorten
from ekiben.model.home import find_log
from ekiben.training.truth.folder import InvalidLog, LogFolder, open_folder

LOG_VARIABLE = "LOG_FOLDER"


class AnswerUnknown(UserError):
    """No part of the log has the row."""


@dataclass(frozen=True)
class LoggedAnswer:
    """What the log holds of one id."""

    part: str  # the file's name
    time: str
    version: str
    rows: int
    schema: str | None  # the digest of the schema that it was answered by


def choose_logs(given: str | None, name: str) -> list[str]:
    """Return where the answers of a model may be logged: the folder, and the one of the model's name in it."""
    folder = given or os.environ.get(LOG_VARIABLE) or str(find_log())
    return [folder, f"{folder.rstrip('/')}/{name}"]


def find_answer(folders: list[str], prediction_id: str) -> LoggedAnswer:
    """Return the logged row of an answer; raise AnswerUnknown if no part has it."""
    reasons = []
    for folder in folders:
        try:
            opened = open_folder(folder)
        except InvalidLog as error:
            reasons.append(str(error))
            continue
        if found := next(search(opened, prediction_id), None):
            return found
        reasons = [f"no row of {opened.name} has the id {shorten(prediction_id)}: was it sampled (LOG_SAMPLE)?"]
        reasons += opened.describe_left_out()
    raise AnswerUnknown("; ".join(reasons[:2]))


def search(folder: LogFolder, prediction_id: str) -> Iterator[LoggedAnswer]:
    """Yield what each part has of an id, or of the rows of the request whose id it is."""
    for path in folder.rows:
        part = folder.read(path, (ID, TIME, VERSION))
        if part is None or not pa.types.is_string(part.schema.field(ID).type):
            continue
        ids = part[ID]
        here = part.filter(pc.or_(pc.equal(ids, prediction_id), pc.starts_with(ids, f"{prediction_id}/")))
        if here.num_rows:
            metadata = part.schema.metadata or {}
            schema = metadata.get(SCHEMA_KEY.encode())
            yield LoggedAnswer(
                path.rpartition("/")[2], str(here[TIME][0].as_py()), str(here[VERSION][0].as_py()), here.num_rows,
                schema.decode(errors="replace") if schema else None,
            )  # fmt: skip


def count_answers(folders: list[str], version: str) -> int:
    """Return how many logged rows a version answered."""
    rows = 0
    for folder in folders:
        try:
            opened = open_folder(folder)
        except InvalidLog:
            continue
        for path in opened.rows:
            part = opened.read(path, (VERSION,))
            rows += pc.sum(pc.equal(part[VERSION], version)).as_py() or 0 if part is not None else 0
    return rows
