"""What a canary needs of a running service: to read its state, and to say a share."""

import json
import os
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import AfterValidator, Field, FiniteFloat, TypeAdapter, ValidationError

from ekiben.contract.text_lines import printable
from ekiben.monitoring.fetching import Unreachable, fetch

LOAD_TIMEOUT_S = 60.0  # loading a version takes its time
ADVICE = "name the URL of a service of this version"
T = TypeVar("T")
Printable = Annotated[str, AfterValidator(printable)]


class ServiceFailed(Unreachable):
    """A service can't be reached, or doesn't do what it is told."""


@dataclass(frozen=True)
class State:
    """A service's canary; times are the service's, seconds since 1970."""

    model: Printable
    status: Printable
    share: FiniteFloat
    changed: FiniteFloat = 0.0
    champion: Printable = ""
    candidate: Printable = ""
    reason: Printable = ""


@dataclass(frozen=True)
class States:
    """The canaries of a service of several models."""

    canaries: Annotated[list[State], Field(min_length=1)]


@dataclass(frozen=True)
class Taken:
    """A service's answer to a share."""

    changed: FiniteFloat


SHOWN: TypeAdapter[State | States] = TypeAdapter(State | States)
TAKEN = TypeAdapter(Taken)
STOPPED = TypeAdapter(dict[str, Any])  # the version that answers


class Service:
    """One service, by its URL."""

    def __init__(self, url: str, model: str = "") -> None:
        """Take the model too if it serves several."""
        self.url = url.rstrip("/")
        self._model = model

    def read(self) -> State:
        """Return the state of its canary; raise ServiceFailed if there is no answer."""
        answered = self._ask("/monitoring/canary", SHOWN)
        listed = answered.canaries if isinstance(answered, States) else [answered]
        found = [one for one in listed if not self._model or one.model == self._model]
        if len(found) != 1:
            names = ", ".join(one.model for one in listed)
            raise ServiceFailed(f"{self.url} serves {names}: choose one of them with --model")
        return found[0]

    def set_share(self, version: str, share: float, force: bool = False) -> float:
        """Let a version answer a share of the callers; return when it was said. Raises ServiceFailed."""
        parameters = {"version": version, "share": share} | ({"force": True} if force else {})
        return self._load(parameters, TAKEN).changed

    def stop(self) -> None:
        """Let the champion answer everyone; raises ServiceFailed."""
        self._load({"share": 0}, STOPPED)

    def _load(self, parameters: dict[str, Any], form: TypeAdapter[T]) -> T:
        self._model = self._model or self.read().model
        name = quote(os.fsencode(self._model), safe="")
        return self._ask(f"/v2/repository/models/{name}/load", form, {"parameters": parameters})

    def _ask(self, path: str, form: TypeAdapter[T], body: Any = None) -> T:
        """Return what it answers to a path."""
        url, content = self.url + path, None if body is None else json.dumps(body).encode()
        try:
            return form.validate_json(fetch(url, content, LOAD_TIMEOUT_S))
        except Unreachable as error:
            raise ServiceFailed(str(error)) from None
        except ValidationError:
            raise ServiceFailed(f"{url} answers something else than a canary: {ADVICE}") from None
