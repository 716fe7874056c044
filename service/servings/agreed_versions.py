"""Which versions a service has agreed on: a worker comes up with these, whatever the store has become since.

The supervisor writes which models it has opened before there is a worker. Workers write which version has taken a
model's place, and which newest one of the store they have dealt with: one that they rejected, or that a person took
back, is then no news to a worker that starts in the place of a dead one.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ekiben.contract.errors import UserError
from ekiben.model.package import PackedModel
from ekiben.model.selection import open_models
from ekiben.model.store import find_model, open_stored
from ekiben.service.lifecycle.agreement import Agreement, CanNotAgree
from ekiben.service.settings import Settings

logger = logging.getLogger("bentoml.service")
NAME = "versions"
SERVED, NEWEST = "served", "newest"
TRIES = 8  # that others may forestall


class AgreedVersions:
    """The versions that a service has agreed on, as one of its processes knows them."""

    def __init__(self, folder: Path | None) -> None:
        """Take the folder that the processes share."""
        self._agreement = Agreement(NAME, folder)
        agreed: Any = self._agreement.value or {SERVED: {}, NEWEST: {}}
        self.served: Mapping[str, str] = agreed[SERVED]  # by model; as all that follows, when this process began
        self.newest: Mapping[str, str] = agreed[NEWEST]

    def begin(self, models: Iterable[PackedModel]) -> None:
        """Let these be what the service serves."""
        versions = {model.name: model.version for model in models}
        self._propose({SERVED: versions, NEWEST: versions})

    def note_served(self, name: str, version: str) -> None:
        """Say which version answers for a model now, if it is one of those that the service began with."""
        self._note(SERVED, name, version)

    def note_newest(self, name: str, version: str) -> None:
        """Say which newest version has been dealt with."""
        self._note(NEWEST, name, version)

    def _note(self, part: str, name: str, version: str) -> None:
        for _ in range(TRIES):
            self._agreement.read()
            agreed = self._agreement.value
            if agreed is None or agreed[part].get(name, version) == version:
                return
            if self._propose(agreed | {part: agreed[part] | {name: version}}):
                return

    def _propose(self, agreed: Mapping[str, Mapping[str, str]]) -> bool:
        try:
            return self._agreement.propose(agreed, self._agreement.number)
        except CanNotAgree as error:
            logger.warning("a worker that starts later will serve the store's newest versions: %s", error)
            return True


def open_served(settings: Settings, agreed: AgreedVersions | None) -> list[PackedModel]:
    """Open what the service has agreed on, or else the newest of the store; raise UserError if that can't be."""
    if agreed and agreed.served and not settings.model_digest:
        try:
            return [open_stored(find_model(name, version)) for name, version in agreed.served.items()]
        except UserError as error:
            logger.warning("this worker serves the store's newest versions, not those agreed on: %s", error)
    return open_models(settings.model_name, settings.model_digest)
