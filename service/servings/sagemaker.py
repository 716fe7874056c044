"""SageMaker's contract for containers that serve several models: it loads, lists and unloads them by names of its own.

Calls for answers are in `service/protocols/invocations`: `POST /models/{model}/invoke`.
"""

import asyncio
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from ekiben.contract.validation import shorten, show, suggest
from ekiben.model.package import MANIFEST_FILE
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import parse_json
from ekiben.service.http.messages import Request, encode_json
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.protocol import Protocol, Route
from ekiben.service.servings import operations
from ekiben.service.servings.on_demand import OnDemand, check_one_worker
from ekiben.service.servings.servings import Servings
from ekiben.service.servings.versions import Versions
from ekiben.service.settings import Settings

PROTOCOL = "sagemaker"
PATH = "/models"
MAX_BODY_BYTES = 8192
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")  # SageMaker's are hashes
NAME_FIELD, URL_FIELD = "model_name", "url"
PAGE_MODELS = 100
TOKEN = "next_page_token"


def build_sagemaker(servings: Servings, on_demand: OnDemand, settings: Settings) -> Protocol:
    """Return what the contract registers."""
    api = Api(servings, on_demand, settings)
    one = f"{PATH}/{{model}}"
    load, end = (operations.LOAD_FOLDER, operations.END) if settings.loads_folders else (None, None)
    routes = (
        Route("GET", PATH, api.list_models, operation=operations.LIST_FOLDERS),
        Route("POST", PATH, api.load, operation=load),
        Route("GET", one, api.find, operation=operations.FIND),
        Route("DELETE", one, api.unload, operation=end),
    )
    return Protocol(PROTOCOL, routes)


class Api:
    """Answers the calls."""

    def __init__(self, servings: Servings, on_demand: OnDemand, settings: Settings) -> None:
        self._servings = servings
        self._on_demand = on_demand
        self._settings = settings

    async def list_models(self, request: Request) -> bytes:
        start, models = read_page_token(request.query), list(self._servings.models)
        content: dict[str, Any] = {"models": [describe(one) for one in models[start : start + PAGE_MODELS]]}
        if start + PAGE_MODELS < len(models):
            content["nextPageToken"] = str(start + PAGE_MODELS)
        return encode_json(content)

    async def find(self, request: Request) -> bytes:
        return encode_json(describe(self._servings.find_model(request.parameters["model"])))

    async def load(self, request: Request) -> bytes:
        self._check_allowed()
        timeout_s = read_timeout_s(request, self._settings)
        body = await request.read_body(MAX_BODY_BYTES, timeout_s, ByteBudget(MAX_BODY_BYTES))
        name, url = read_request(parse_json(body))
        folder, digest = await asyncio.to_thread(open_folder, url, self._settings.models_folder)
        await self._on_demand.load_folder(name, folder, digest)
        return encode_json(describe(self._servings.find_model(name)))

    async def unload(self, request: Request) -> bytes:
        self._check_allowed()
        await self._on_demand.unload(request.parameters["model"])
        return b"{}"

    def _check_allowed(self) -> None:
        if not self._settings.loads_folders:
            raise BadRequest(
                409, "the service stays with its models: start it with RELOAD=1, or SAGEMAKER_MULTI_MODEL=true"
            )
        check_one_worker(self._settings.workers)


def describe(versions: Versions) -> dict[str, str]:
    """Return a model as the contract names it."""
    return {"modelName": versions.name, "modelUrl": str(versions.current.model.path)}


def read_request(content: Any) -> tuple[str, str]:
    """Return the name and the folder that a call to load gives; raise BadRequest unless it gives both."""
    wanted = (NAME_FIELD, URL_FIELD)
    if not isinstance(content, dict):
        raise BadRequest(400, f'expected an object such as {{"model_name": "a", "url": "…"}}, got {show(content)}')
    for key in content:
        if key not in wanted:
            raise BadRequest(400, f"`{shorten(key)}`: unknown field{suggest(key, wanted)}")
    for key in wanted:
        if not isinstance(content.get(key), str) or not content[key]:
            raise BadRequest(400, f"`{key}`: expected a string, got {show(content.get(key))}")
    name: str = content[NAME_FIELD]
    if not NAME.fullmatch(name):
        raise BadRequest(400, f"`{NAME_FIELD}`: expected letters, digits, `_`, `.` and `-`, got {show(name)}")
    return name, content[URL_FIELD]


def open_folder(url: str, root: Path) -> tuple[Path, str]:
    """Return a folder with a packed model, and its manifest's SHA-256; raise BadRequest unless it is one within `root`.

    The manifest has the digests of all other files, which loading compares.
    """
    folder = Path(url)
    try:
        resolved, root = folder.resolve(), root.resolve()
        if not folder.is_absolute() or not resolved.is_relative_to(root) or resolved == root:
            raise BadRequest(400, f"`{URL_FIELD}`: {show(url)} is no folder within MODELS_FOLDER={root}")
        return resolved, sha256((resolved / MANIFEST_FILE).read_bytes()).hexdigest()
    except (OSError, ValueError, RuntimeError):  # ValueError: a zero byte; RuntimeError: links that lead to each other
        advice = "pack the folder of a version in the BentoML store, `tar -C FOLDER -czf NAME.tar.gz .`"
        raise BadRequest(400, f"`{URL_FIELD}`: {show(url)} holds no {MANIFEST_FILE}: {advice}") from None


def read_page_token(query: bytes) -> int:
    """Return where a page begins; raise BadRequest if the token is none that was given."""
    values: Mapping[str, list[str]] = parse_qs(query.decode("latin-1"))
    token = values.get(TOKEN, ["0"])[-1]
    if not (token.isascii() and token.isdigit() and len(token) < 10):
        raise BadRequest(400, f"`{TOKEN}`: expected what `nextPageToken` was, got {show(token)}")
    return int(token)
