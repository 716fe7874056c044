"""Notices that another version of a model is packed as its challenger, so that no restart is needed to compare it."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from ekiben.contract.errors import UserError
from ekiben.model.home import find_home
from ekiben.model.package import CHALLENGER
from ekiben.model.store import find_challenger, read_digest
from ekiben.service.errors import BadRequest, Overloaded

logger = logging.getLogger("bentoml.service")
POLL_S = 2.0
AGAIN_S = 600.0
JITTER = 0.5  # of it: workers and replicas don't all load in the same moment
Shown = tuple[str, frozenset[str]]  # a model, and the digests of what needs no comparison: it answers, or is compared


@dataclass
class Finder:
    """Reads the store only where a model's folder has changed: a version is put into it whole, by renaming."""

    _seen: dict[str, tuple[int, str]] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> str:
        """Return the digest of the version that is packed as the challenger; "" if there is none that can be read."""
        try:
            changed = (find_home() / "models" / name.lower()).stat().st_mtime_ns
            if self._seen.get(name, (0, ""))[0] != changed:
                self._seen[name] = changed, _read_digest(name)
        except Exception as error:  # of a damaged version BentoML raises what it likes, and the store may be away
            self._warn(name, f"{type(error).__name__}: {error}")
            return ""
        return self._seen[name][1]

    def _warn(self, name: str, reason: str) -> None:
        """Say once what is wrong, until it is something else: the store is looked at every POLL_S."""
        if self._said.get(name) != reason:
            self._said[name] = reason
            logger.warning("%s: the challenger can't be read (%s)", name, reason)


def _read_digest(name: str) -> str:
    try:
        return read_digest(find_challenger(name, CHALLENGER))
    except UserError:
        return ""


async def watch_challengers(list_shown: Callable[[], Iterable[Shown]], renew: Callable[[str], Awaitable[None]]) -> None:
    """Call `renew` with a model's name whenever another version is its challenger; never returns.

    One that can't be compared is tried again after AGAIN_S: a fault may pass.
    """
    finder, tried = Finder(), dict[str, tuple[str, float]]()
    while True:
        await asyncio.sleep(POLL_S * random.uniform(1 - JITTER, 1 + JITTER))
        for name, known in list(list_shown()):
            digest = await asyncio.to_thread(finder.find, name)
            last, when = tried.get(name, ("", 0.0))
            if not digest or digest in known or (last == digest and time.monotonic() < when + AGAIN_S):
                continue
            tried[name] = digest, time.monotonic()
            try:
                await renew(name)
            except (BadRequest, Overloaded):
                del tried[name]  # the model is gone, or others load: later
            except Exception:
                logger.exception("%s: the challenger could not be loaded", name)
