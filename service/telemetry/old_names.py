"""The names that series had in 0.2, beside today's: for dashboards, alerts and autoscalers that still ask for those."""

import re

PREFIX = rb"ekiben_"
NEW = rb"build_info|worker_"  # what 0.2 did not have
_LINE = re.compile(rb"^(# (?:HELP|TYPE) )?%b(?!%b)(.*\n)" % (PREFIX, NEW), re.MULTILINE)


def add_old_names(text: bytes) -> bytes:
    """Return metrics as Prometheus reads them, and after them those of 0.2 under their names of then."""
    return text + b"".join(kind + rest for kind, rest in _LINE.findall(text))
