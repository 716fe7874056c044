"""What becomes of fields that no feature is called: they are rejected, or for the time of a roll-out left out.

Who sends them hears of it in a header of the answer, who runs the service in a line of the log and a counter.
"""

import logging
import time

from ekiben.contract.columns import Rows
from ekiben.contract.field_fitting import FieldFitter, Ignored
from ekiben.contract.schema import Schema
from ekiben.contract.validation import shorten, show
from ekiben.service.telemetry import metrics

logger = logging.getLogger("bentoml.service")

LOG_EVERY_S = 60.0  # of one field
MAX_LOGGED = 100  # fields that have lines of their own


class Fields:
    """Makes the fields of one schema of what its callers send."""

    def __init__(self, schema: Schema, ignore: bool = False) -> None:
        self.ignore = ignore
        self.fitter = FieldFitter(schema)
        self._model = schema.name
        self._fits = ignore or self.fitter.fills
        self._logged: dict[str, float] = {}  # when, by field
        if ignore:
            metrics.count_unknown_fields(self._model, 0)  # of a series that begins with 1 Prometheus sees no increase

    def fit(self, rows: Rows) -> tuple[Rows, Ignored]:
        """Return the rows, not checked yet, and the unknown fields that were left out of them."""
        if not self._fits:
            return rows, ()
        rows, ignored = self.fitter.fit(rows, self.ignore)
        if ignored:
            self._report(ignored)
        return rows, ignored

    def leave_out(self, rows: Rows) -> tuple[Rows, Ignored]:
        """Do the same where other servers leave them out too: that is the protocol's, whatever the setting says."""
        return self.fitter.fit(rows, ignore=True)

    def _report(self, ignored: Ignored) -> None:
        """Count a request with unknown fields, and log each of these at most once a minute."""
        metrics.count_unknown_fields(self._model)
        now = time.monotonic()
        for name in map(shorten, ignored):  # what is kept of it, too: it may be as long as a body
            if now - self._logged.get(name, -LOG_EVERY_S) < LOG_EVERY_S:
                continue
            if name not in self._logged and len(self._logged) >= MAX_LOGGED:
                logged = list(self._logged.items())  # at once: large requests are fitted in threads
                self._logged = {one: at for one, at in logged if now - at < LOG_EVERY_S}
                if len(self._logged) >= MAX_LOGGED:
                    return
            self._logged[name] = now
            logger.warning(
                "%s: callers send the unknown field %s, which is ignored: UNKNOWN_FIELDS=ignore",
                self._model,
                show(name),
            )
