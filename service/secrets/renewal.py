"""Reads a secret again and again, and hands over what has changed; what is in use stays until there is a good one.

Kubernetes and cert-manager replace a link to the whole folder: so what counts is what is in the files, not their times.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger("bentoml.service")
POLL_S = 3.0
Content = TypeVar("Content")
Made = TypeVar("Made")


class Renewal(Generic[Content, Made]):
    """A secret in use; belongs to one event loop."""

    def __init__(
        self,
        kept: str,
        content: Content,
        read: Callable[[], Content],
        make: Callable[[Content], Made],
        use: Callable[[Made], None],
    ) -> None:
        """`kept` says what stays in use; `read` and `make` are called in a thread and raise ValueError."""
        self._kept, self._content = kept, content
        self._read, self._make, self._use = read, make, use
        self._trouble = self._said = ""

    async def run(self) -> None:
        """Look every POLL_S, for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.look()

    async def look(self) -> None:
        """Look once, and hand over what is new."""
        try:
            content, made = await asyncio.to_thread(self._look)
        except ValueError as error:
            self._note(str(error))
            return
        except Exception as error:  # the boundary: what is in use goes on, whatever this is
            self._note(f"reading it failed ({type(error).__name__})")
            return
        if self._said:
            logger.info("after `%s`: that is over", self._said)
        self._trouble = self._said = ""
        if made is not None:
            self._content = content
            self._use(made)

    def _look(self) -> tuple[Content, Made | None]:
        content = self._read()
        return content, None if content == self._content else self._make(content)

    def _note(self, trouble: str) -> None:
        """Say it once, and only if it is still so at the second look: files may just be being written."""
        if trouble == self._trouble and trouble != self._said:
            logger.error("%s; %s", trouble, self._kept)
            self._said = trouble
        self._trouble = trouble
