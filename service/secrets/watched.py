"""The secrets of a worker: made of the settings, in use on its ports, and read again while it serves."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from ekiben.service.auth import Authenticator
from ekiben.service.secrets.renewal import Renewal
from ekiben.service.secrets.tls import Tls
from ekiben.service.secrets.tokens import find_tokens, read_tokens
from ekiben.service.settings import InvalidSettings, Settings

logger = logging.getLogger("bentoml.service")
KEPT = "the tokens that were read before stay valid"


class Secrets:
    """What lets callers in, and what they are shown; belongs to one event loop."""

    def __init__(self, settings: Settings) -> None:
        """Raises InvalidSettings if a file can't be used."""
        try:
            self._tokens = find_tokens(settings.auth_token.get_secret_value(), settings.auth_token_file)
            self.tls = Tls(settings.tls) if settings.tls else None
        except ValueError as error:
            raise InvalidSettings(str(error)) from None
        self.authenticator = Authenticator(self._tokens)
        self._token_file = settings.auth_token_file
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        """Read the files again from now on."""
        renewals: list[Renewal[Any, Any]] = [self.tls.watch()] if self.tls else []
        if self._token_file:
            renewals.append(self._watch_tokens(self._token_file))
        self._tasks = [asyncio.ensure_future(renewal.run()) for renewal in renewals]

    def end(self) -> None:
        """Read them no more."""
        for task in self._tasks:
            task.cancel()

    def _watch_tokens(self, path: Path) -> Renewal[Any, Any]:
        def use(tokens: tuple[bytes, ...]) -> None:
            self.authenticator.replace(tokens)
            logger.info("tokens: the file was replaced, %d are valid", len(tokens))

        return Renewal(KEPT, self._tokens, lambda: read_tokens(path), lambda tokens: tokens, use)
