"""What a canary needs of a running service: to read its state, and to say a share."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from ekiben.contract.errors import UserError

TIMEOUT_S = 60.0  # loading a version takes its time
MAX_BYTES = 2**20
TOKEN = "AUTH_TOKEN"  # as the service reads it


class ServiceFailed(UserError):
    """A service can't be reached, or doesn't do what it is told."""


@dataclass(frozen=True)
class State:
    """A service's canary; times are the service's, seconds since 1970."""

    model: str
    status: str
    share: float
    changed: float = 0.0
    champion: str = ""
    candidate: str = ""
    reason: str = ""


class Service:
    """One service, by its URL."""

    def __init__(self, url: str, model: str = "") -> None:
        """Take the model too if it serves several."""
        self.url = url.rstrip("/")
        self._model = model

    def read(self) -> State:
        """Return the state of its canary; raise ServiceFailed if there is no answer."""
        answered = self._ask("/monitoring/canary")
        listed = answered.get("canaries", [answered])
        found = [one for one in listed if not self._model or one.get("model") == self._model]
        if len(found) != 1:
            names = ", ".join(str(one.get("model")) for one in listed)
            raise ServiceFailed(f"{self.url} serves {names}: choose one of them with --model")
        known = State.__dataclass_fields__
        return State(**{name: value for name, value in found[0].items() if name in known})

    def set_share(self, version: str, share: float, force: bool = False) -> float:
        """Let a version answer a share of the callers; return when it was said. Raises ServiceFailed."""
        parameters = {"version": version, "share": share} | ({"force": True} if force else {})
        return float(self._load(parameters)["changed"])

    def stop(self) -> None:
        """Let the champion answer everyone; raises ServiceFailed."""
        self._load({"share": 0})

    def _load(self, parameters: dict[str, Any]) -> Any:
        self._model = self._model or self.read().model
        return self._ask(f"/v2/repository/models/{self._model}/load", {"parameters": parameters})

    def _ask(self, path: str, body: Any = None) -> Any:
        """Return what it answers, as JSON."""
        content = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(self.url + path, content, {"Content-Type": "application/json"})
            if token := os.environ.get(TOKEN):
                request.add_unredirected_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read(MAX_BYTES))
        except urllib.error.HTTPError as error:
            raise ServiceFailed(f"{self.url} answers {error.code}: {_explain(error)}") from None
        except urllib.error.URLError as error:
            reason = getattr(error.reason, "strerror", None) or error.reason
            raise ServiceFailed(f"{self.url} can't be reached ({reason}): is the service running?") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ServiceFailed(f"{self.url} gives no answer ({reason}): name the URL of a service") from None


def _explain(error: urllib.error.HTTPError) -> str:
    if error.code == 401:
        return f"set {TOKEN} to the service's token"
    try:
        return str(json.loads(error.read(MAX_BYTES))["error"])
    except (OSError, ValueError, KeyError, TypeError):
        return "is it a service of this version?"
