"""Where the MLflow server is and how it lets us in: the variables that MLflow's own client reads."""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from ekiben.service.settings import InvalidSettings

SERVER, REGISTRY = "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"  # the second goes first
USER, PASSWORD, TOKEN = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"
INSECURE, CERTIFICATE = "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH"


@dataclass(frozen=True)
class Access:
    """An MLflow server."""

    url: str  # without a login or a slash at its end
    authorization: str = field(default="", repr=False)  # the header, "" for none
    verify: ssl.SSLContext | bool = True

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        login = {"Authorization": self.authorization} if self.authorization else {}
        return {"Accept-Encoding": "identity", **login}  # what unpacks to more than was sent is not asked for


def read_access(environment: Mapping[str, str]) -> Access:
    """Return the server; raise InvalidSettings, without a part of a password, if there is none that can be asked."""
    variable = REGISTRY if environment.get(REGISTRY) else SERVER
    address = _split(environment.get(variable, ""))
    if address is None:
        raise InvalidSettings(
            f"MODEL_SOURCE needs an MLflow server: set {variable} to its address, such as https://mlflow.example.com"
        )
    host = address.netloc.rpartition("@")[2]
    return Access(
        address._replace(netloc=host, query="", fragment="").geturl().rstrip("/"),
        _authorize(address, environment),
        _read_tls(environment),
    )


def _split(uri: str) -> SplitResult | None:
    try:
        address = urlsplit(uri)
        usable = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:
        return None
    return address if usable else None


def _authorize(address: SplitResult, environment: Mapping[str, str]) -> str:
    user = environment.get(USER) or unquote(address.username or "")
    password = environment.get(PASSWORD) or unquote(address.password or "")
    if user and password:
        return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    token = environment.get(TOKEN, "")
    if not all("!" <= character <= "~" for character in token):
        raise InvalidSettings(f"{TOKEN} holds a space, a line break or what is not ASCII: no header can carry that")
    return f"Bearer {token}" if token else ""


def _read_tls(environment: Mapping[str, str]) -> ssl.SSLContext | bool:
    if environment.get(INSECURE, "").lower() in ("true", "1"):
        return False
    path = environment.get(CERTIFICATE)
    if not path:
        return True
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError):
        raise InvalidSettings(f"{CERTIFICATE}={path!r} can't be read: name a file of PEM certificates") from None
