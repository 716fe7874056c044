"""What is served, and the model repository API: the Open Inference Protocol's extension as Triton has it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from google.protobuf.json_format import ParseDict

from ekiben.contract.errors import UserError
from ekiben.contract.validation import show
from ekiben.model.store import find_model
from ekiben.service.canary.conducting import Conductor
from ekiben.service.canary.protocol import SHARE, read_share
from ekiben.service.canary.state import EVERYONE
from ekiben.service.connections.byte_budget import ByteBudget
from ekiben.service.errors import BadRequest
from ekiben.service.http.json_parsing import parse_json
from ekiben.service.http.messages import Request, encode_json
from ekiben.service.http.timeouts import read_timeout_s
from ekiben.service.protocols.open_inference import PROTOCOL
from ekiben.service.protocols.open_inference.grpc import SERVICE, read_parameters
from ekiben.service.protocols.open_inference.http import MODEL
from ekiben.service.protocols.open_inference.triton import describe_statistics
from ekiben.service.protocols.protocol import Call, Method, Protocol, Route, select_by_path
from ekiben.service.protos import message
from ekiben.service.servings import operations
from ekiben.service.servings.finishing import Finishing
from ekiben.service.servings.index import list_served, list_unloaded
from ekiben.service.servings.on_demand import OnDemand
from ekiben.service.servings.parameters import FORCE, VERSION, check_parameters, read_request, read_version
from ekiben.service.servings.serving import Serving
from ekiben.service.servings.servings import Servings
from ekiben.service.settings import Settings

MAX_BODY_BYTES = 4096
Conductors = Mapping[str, Conductor]  # of canaries, by model


def build_repository(servings: Servings, on_demand: OnDemand, settings: Settings, conductors: Conductors) -> Protocol:
    """Return what the repository registers."""
    api = Api(servings, on_demand, settings, conductors)
    repository = "/v2/repository/models/{model}"
    load, unload = (operations.LOAD, operations.UNLOAD) if settings.reloads else (None, None)
    routes = (
        Route("GET", "/v2/models", api.list_models, operation=operations.LIST),
        Route("GET", "/v1/models", api.list_objects, operation=operations.LIST_OBJECTS),
        Route("GET", "/v2/models/stats", api.count, operation=operations.STATISTICS),
        Route("GET", f"{MODEL}/stats", api.count, operation=operations.STATISTICS),
        Route("POST", "/v2/repository/index", api.index, operation=operations.INDEX),
        Route("POST", f"{repository}/load", api.load, operation=load),
        Route("POST", f"{repository}/unload", api.unload, operation=unload),
    )
    answers = {
        "ModelStatistics": api.count_call,
        "RepositoryIndex": api.index_call,
        "RepositoryModelLoad": api.load_call,
        "RepositoryModelUnload": api.unload_call,
    }
    safe = ("ModelStatistics", "RepositoryIndex")
    methods = {
        name: Method(message(f"inference.{name}Request"), answer, safe=name in safe) for name, answer in answers.items()
    }
    return Protocol(PROTOCOL, routes, {SERVICE: methods})


class Api:
    """Answers the calls, over HTTP and, with `_call` in their names, over gRPC."""

    def __init__(self, servings: Servings, on_demand: OnDemand, settings: Settings, conductors: Conductors) -> None:
        self._conductors = conductors
        self._servings = servings
        self._on_demand = on_demand
        self._settings = settings
        self._finishing = Finishing()

    async def list_models(self, request: Request) -> bytes:
        return encode_json({"models": self._list_names()})

    async def list_objects(self, request: Request) -> bytes:
        names = self._list_names()
        return encode_json(
            {"models": names, "object": "list", "data": [{"id": name, "object": "model"} for name in names]}
        )

    async def count(self, request: Request) -> bytes:
        named = select_by_path(request.parameters)
        return encode_json(self._count(named.model, named.version) if named else self._count("", ""))

    async def count_call(self, request: Any, call: Call) -> Any:
        return ParseDict(self._count(request.name, request.version), message("inference.ModelStatisticsResponse")())

    async def index(self, request: Request) -> bytes:
        wanted = await self._read(request)
        return orjson.dumps(await self._describe_index(isinstance(wanted, dict) and wanted.get("ready") is True))

    async def index_call(self, request: Any, call: Call) -> Any:
        return message("inference.RepositoryIndexResponse")(models=await self._describe_index(request.ready))

    async def load(self, request: Request) -> bytes:
        parameters = read_request(await self._read(request))
        return encode_json(await self._load(request.parameters["model"], parameters))

    async def load_call(self, request: Any, call: Call) -> Any:
        await self._finishing.finish(self._load(request.model_name, read_parameters(request.parameters)))
        return message("inference.RepositoryModelLoadResponse")()

    async def unload(self, request: Request) -> bytes:
        parameters = read_request(await self._read(request))
        await self._unload(request.parameters["model"], parameters)
        return b"{}"

    async def unload_call(self, request: Any, call: Call) -> Any:
        await self._finishing.finish(self._unload(request.model_name, read_parameters(request.parameters)))
        return message("inference.RepositoryModelUnloadResponse")()

    async def _load(self, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Let a version answer everyone, or a share of the callers; return what did."""
        check_parameters(parameters, (VERSION, FORCE, SHARE))
        share, version, force = read_share(parameters), read_version(parameters), parameters.get(FORCE) is True
        conductor = self._conductors.get(name)
        if share is not None and conductor is None:
            self._servings.find_model(name)
            raise BadRequest(409, f"{show(name)} was loaded from a folder: it has no other versions")
        if conductor is None:  # of a model that isn't served
            return describe(await self._on_demand.load(name, version, force))
        if share is None and not version:
            version = await self._find_newest(name)
            if version == self._servings.find_model(name).current.model.version:
                return describe(await self._on_demand.load(name, force=force))
        if share == 0:
            await conductor.stop()
            return describe(self._servings.find_model(name).current)
        if not version:
            raise BadRequest(400, f"parameters.{SHARE}: name the version that answers so many, as parameters.{VERSION}")
        state = await conductor.set_share(version, EVERYONE if share is None else share, force)
        said = {} if share is None else {SHARE: state.share, "changed": state.changed}
        return {"name": name, "version": version, "state": "READY", **said}

    async def _find_newest(self, name: str) -> str:
        """Return the number of the store's newest version: all workers are to load that one."""
        try:
            return str((await asyncio.to_thread(find_model, name)).tag.version)
        except UserError as error:
            raise BadRequest(400, str(error)) from None

    async def _unload(self, name: str, parameters: Mapping[str, Any]) -> None:
        check_parameters(parameters, (VERSION, "unload_dependents"))
        versions, version = self._servings.find_model(name), read_version(parameters)
        if not version and versions is not self._servings.default:
            self._on_demand.check_allowed()
            await self._on_demand.unload(name)
            return
        serving = versions.find(version) if version else versions.current
        if serving is versions.current:
            raise BadRequest(409, f"version {serving.model.version} of `{name}` answers here: load another one instead")
        conductor = self._conductors.get(name)
        if conductor and conductor.is_trying(serving.model.version):
            await conductor.stop()
            return
        self._servings.release(name, serving.model.version)

    def _list_names(self) -> list[str]:
        return [versions.name for versions in self._servings.models]

    def _count(self, name: str, version: str) -> dict[str, Any]:
        if not name:
            counted = list(self._servings)
        else:
            versions = self._servings.find_model(name)
            counted = [versions.find(version)] if version else list(versions)
        return {"model_stats": [describe_statistics(one.model, one.dataplane.recorder.read()) for one in counted]}

    async def _describe_index(self, only_ready: bool) -> list[dict[str, str]]:
        """Return what is served and, unless only what is ready is asked for, what could be loaded from the store."""
        listed = list_served(self._servings, only_ready)
        if only_ready or not self._settings.reloads:
            return listed
        return listed + await asyncio.to_thread(list_unloaded, set(self._list_names()))

    async def _read(self, request: Request) -> Any:
        timeout_s = read_timeout_s(request, self._settings)
        body = await request.read_body(MAX_BODY_BYTES, timeout_s, ByteBudget(MAX_BODY_BYTES))
        return parse_json(body) if body.strip() else {}


def describe(serving: Serving) -> dict[str, str]:
    """Return what a call to load answers."""
    return {"name": serving.model.name, "version": serving.model.version, "state": "READY"}
