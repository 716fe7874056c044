"""Sets up BentoML's logging, which is everybody's in a process that it serves in."""

import logging
from typing import Any

from bentoml._internal import log as bentoml_log  # there is no public way

from ekiben.service.logs.choice import Format, choose_format, choose_level
from ekiben.service.logs.stacks import describe_stack

OURS = "bentoml.service"


class TextFormatter(logging.Formatter):
    """BentoML's lines, with exceptions that don't quote rows."""

    def formatException(self, ei: Any) -> str:
        return describe_stack(ei[1]) if ei[1] else ""


def set_up_logging() -> None:
    """Let all of this process log as LOG_FORMAT and LOG_LEVEL say, now and whenever BentoML sets its logging up."""
    change(bentoml_log.SERVER_LOGGING_CONFIG, choose_format(), choose_level())
    handlers = logging.getLogger("bentoml").handlers
    if any(isinstance(one, bentoml_log.TraceRecordFilter) for handler in handlers for one in handler.filters):
        bentoml_log.configure_server_logging()  # type: ignore[no-untyped-call]  # it serves: BentoML has done so before


def change(config: dict[str, Any], form: Format, level: str) -> None:
    """Change what BentoML gives `logging.config`; it goes on to set the levels of its own loggers there."""
    config["filters"]["stacks"] = {"()": "ekiben.service.logs.bounds.StackLimit"}
    handler = config["handlers"]["tracehandler"]
    if form == "json":
        handler = config["handlers"]["tracehandler"] = {"()": "ekiben.service.logs.process.JsonHandler", "filters": []}
    else:
        config["formatters"]["traced"]["class"] = f"{TextFormatter.__module__}.{TextFormatter.__qualname__}"
    handler["filters"] = [*(name for name in handler["filters"] if name != "stacks"), "stacks"]
    handler["level"] = level
    config["loggers"][OURS] = {"level": level}
    for name in ("uvicorn.error", "circus"):
        config["loggers"][name]["propagate"] = False  # the root's handler would write the line again
