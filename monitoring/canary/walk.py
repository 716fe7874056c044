"""Walks a canary up its shares on several services; if one of them steps back, all do."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from ekiben.monitoring.canary.services import Service, ServiceFailed, State

POLL_S = 2.0
LATE_S = 30.0  # a worker may be late, and a service away, for so long


class SteppedBack(Exception):
    """The candidate answers nobody any more, on any service; the text says why."""


@dataclass
class Walk:
    """A candidate's way to everyone."""

    services: Sequence[Service]
    version: str
    say: Callable[[str], None]
    force: bool = False
    sleep: Callable[[float], None] = time.sleep
    _asked: list[Service] = field(default_factory=list)  # in that order; one that gave no answer may have taken a share
    _said: dict[str, float] = field(default_factory=dict)  # by URL, when its share was said
    _heard: dict[str, float] = field(default_factory=dict)  # by URL, when it last was as it should be

    def go(self, shares: Sequence[float], every_s: float) -> None:
        """Go from share to share; raise SteppedBack as soon as one service isn't at it any more.

        Raises ServiceFailed if one doesn't take a share or is away for too long. All go back then, too, but for those
        that have taken the last share if that is everyone: the version is their champion.
        """
        for position, share in enumerate(shares):
            self._set(share)
            last = position == len(shares) - 1
            self.say(
                f"version {self.version} answers {describe_share(share)}" + ("" if last else f" for {every_s:g} s")
            )
            if not last:
                self._watch(every_s)

    def _set(self, share: float) -> None:
        for service in self.services:
            if service not in self._asked:
                self._asked.append(service)
            try:
                self._said[service.url] = service.set_share(self.version, share, self.force)
            except ServiceFailed as error:
                self._fail(error)
            self._heard[service.url] = time.monotonic()

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            for service in self.services:
                self._check(service)
            self.sleep(min(POLL_S, left_s))
        for service in self.services:
            self._check(service)

    def _check(self, service: Service) -> None:
        """Raise SteppedBack if a service is not at the share any more, ServiceFailed if it is away for too long."""
        late = time.monotonic() - self._heard[service.url] > LATE_S
        try:
            state = service.read()
        except ServiceFailed as error:
            if late:
                self._fail(error)
            return
        if state.changed < self._said[service.url]:  # of a worker that hasn't heard yet
            if late:
                self._give_up(service, "it has no canary any more; was it started again?")
        elif state.status == "running" and state.candidate == self.version:
            self._heard[service.url] = time.monotonic()
        else:
            self._give_up(service, describe_state(state))

    def _fail(self, error: ServiceFailed) -> NoReturn:
        raise ServiceFailed(f"{error}; {self._go_back()}") from None

    def _give_up(self, service: Service, reason: str) -> NoReturn:
        raise SteppedBack(f"{service.url}: {reason}\n{self._go_back()}")

    def _go_back(self) -> str:
        """Let the champion answer everyone wherever a share was said; return what came of it."""
        failures = []
        for service in self._asked:
            try:
                service.stop()
                state = service.read()
            except ServiceFailed as error:
                failures.append(str(error))
                continue
            if state.status == "promoted" and state.candidate == self.version:
                failures.append(f"{service.url} has made it the champion, so give the one before --share 100%")
        if failures:
            return f"version {self.version} may answer still: {'; '.join(failures)}"
        return f"version {self.version} answers nobody any more, on any of the services named"


def describe_state(state: State) -> str:
    """Return a service's canary in one sentence."""
    if state.status == "none":
        return "there is no canary"
    if state.status == "running":
        others = f"version {state.champion} the others"
        return f"version {state.candidate} answers {describe_share(state.share)}, {others}"
    return f"{state.status}: {state.reason}"


def describe_share(share: float) -> str:
    """Return a share for people."""
    return "everyone" if share >= 1 else f"{100 * share:.3g}% of the callers"
