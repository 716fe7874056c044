"""Which form and level of log the environment asks for, read before there are settings: their errors are lines too."""

import os
from typing import Literal, get_args

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]


def choose_format() -> Format:
    """Return what LOG_FORMAT says; what it may not say is text, and the settings reject it."""
    given = os.environ.get("LOG_FORMAT", "")
    return "json" if given == "json" else "text"


def choose_level() -> str:
    """Return what LOG_LEVEL says, as `logging` calls it."""
    given = os.environ.get("LOG_LEVEL", "")
    return given.upper() if given in get_args(Level) else "INFO"
