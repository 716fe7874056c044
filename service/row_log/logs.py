"""Opens the logs that the settings ask for."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ekiben.model.package import PackedModel
from ekiben.service.row_log.folder import PartNames, open_folder
from ekiben.service.row_log.ids_seen import IdsSeen
from ekiben.service.settings import Settings

if TYPE_CHECKING:
    from ekiben.service.row_log.label_log import LabelLog
    from ekiben.service.row_log.log import RowLog

logger = logging.getLogger("bentoml.service")


@dataclass(frozen=True)
class Logs:
    """The logs of a worker, those that are on."""

    rows: RowLog | None = None
    labels: LabelLog | None = None

    async def close_rows(self) -> None:
        """Write the rows that are left."""
        if self.rows:
            await self.rows.close()

    async def close_labels(self) -> None:
        """Write the labels that are left; all versions of a model share their log."""
        if self.labels:
            await self.labels.close()

    def abandon(self, before: Logs | None) -> None:
        """End logs that nothing came into, but not what they share with those of a version `before`."""
        if self.rows:
            self.rows.abandon()
        if self.labels and (before is None or before.labels is not self.labels):
            self.labels.abandon()


def is_logging(settings: Settings) -> bool:
    """Return whether labels are kept, and perhaps rows."""
    return bool(settings.log_sample or settings.log_folder)


def open_logs(settings: Settings, model: PackedModel, before: Logs | None = None, inside: str = "") -> Logs:
    """Return the logs that are on; raise FolderUnusable if nothing here could write to the folder.

    Labels come long after their answers: those that a version `before` gave go into the same log. `inside`: a folder in
    the log's, for what reads a log expects one model's.
    """
    if not is_logging(settings):
        return Logs()
    # arro3 takes 8 MiB, which a service without a log does without.
    from ekiben.service.row_log.label_log import LabelLog
    from ekiben.service.row_log.log import RowLog
    from ekiben.service.row_log.row_columns import RowColumns

    folder = open_folder(settings.log_folder, inside)
    rows = None
    if settings.log_sample:
        key = settings.log_hash_key.get_secret_value().encode()
        columns = RowColumns(model.schema, model.version, settings.log_sample, key)
        names = PartNames(f"rows-{re.sub(r'[^0-9A-Za-z_.]', '_', model.version)}")
        seen = before.rows.ids if before and before.rows else None
        rows = RowLog(model.schema, columns, settings.log_sample, folder, names, seen)
    if before and before.labels:
        return Logs(rows, before.labels)
    logger.info("log: labels and %.3g%% of the rows, in %s", 100 * settings.log_sample, folder)
    seen = rows.ids if rows else IdsSeen()
    return Logs(rows, LabelLog(model.schema.target, folder, PartNames("labels"), seen))
