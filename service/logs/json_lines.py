"""One line of JSON for whatever is said: docs/logging.md has the table of its fields.

A line is ASCII, so nothing in it can be taken for the end of one, nor be invalid UTF-8; and container runtimes cut
lines at 16 KiB, so none is as long.
"""

import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ekiben.service.logs.stacks import describe_stack

MAX_LINE_BYTES = 16_000
MAX_FIELD_CHARACTERS = 4000
FEWER_CHARACTERS = 250  # of every field if the line is too long nevertheless: a character takes up to 12 bytes
LEFT_OUT = "…"
_SURROGATE = re.compile("[\ud800-\udfff]")


def format_line(level: str, logger: str, message: str, fields: Mapping[str, Any], created: float = 0.0) -> bytes:
    """Return a line with its break; `created` in seconds since 1970, by default now."""
    moment = datetime.fromtimestamp(created or time.time(), UTC).isoformat(timespec="milliseconds")
    said = {"time": moment.removesuffix("+00:00") + "Z", "level": level, "logger": logger, "message": message, **fields}
    line = _encode(said, MAX_FIELD_CHARACTERS)
    return line if len(line) <= MAX_LINE_BYTES else _encode(said, FEWER_CHARACTERS)


def format_record(record: logging.LogRecord) -> bytes:
    """Return the line for a record of `logging`; `extra={"fields": …}` gives it fields."""
    fields = dict(getattr(record, "fields", {}))
    message = getattr(record, "short", "") or record.getMessage()
    if record.name == "asyncio":  # what follows is the repr of a task, with the error's words
        message = message.partition("\n")[0]
    if record.exc_info and record.exc_info[1]:
        fields["error"] = type(record.exc_info[1]).__name__
        fields["stack"] = describe_stack(record.exc_info[1])
    return format_line(record.levelname.lower(), record.name, message, fields, record.created)


def _encode(said: Mapping[str, Any], most: int) -> bytes:
    return json.dumps({name: _clip(value, most) for name, value in said.items()}).encode() + b"\n"


def _clip(value: object, most: int) -> object:
    if not isinstance(value, str):
        return value
    if len(value) > most:  # both ends say most, of a stack as of a sentence
        half = most // 2
        value = f"{value[:half]}{LEFT_OUT}{value[-half:]}"
    return _SURROGATE.sub("\ufffd", value)
