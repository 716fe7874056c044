"""The protocol's gRPC service: raw tensors are answered raw, typed ones typed, unless a parameter says which."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from google.protobuf.json_format import ParseDict

from ekiben.contract.schema import Target
from ekiben.service.dataplane import Dataplane
from ekiben.service.prediction_ids import find_usable
from ekiben.service.protocols.open_inference.datatypes import write_raw
from ekiben.service.protocols.open_inference.decode import BINARY_OUTPUT, Layout, read_flag, read_timeout_s
from ekiben.service.protocols.open_inference.encode import RequestedOutput, Selection
from ekiben.service.protocols.open_inference.explanation import explanation_specs, pick_explained, read_explain
from ekiben.service.protocols.open_inference.message_heads import MAX_HEADS, KnownMessage, MessageHead, MessageHeads
from ekiben.service.protocols.open_inference.messages import (
    OUTPUT_TAG,
    MessageReader,
    Written,
    assemble,
    write_field,
    write_head,
    write_message,
)
from ekiben.service.protocols.open_inference.metadata import describe_model, describe_server
from ekiben.service.protocols.open_inference.triton import describe_config
from ekiben.service.protocols.protocol import Call, Method, Named
from ekiben.service.protos import message
from ekiben.service.settings import Settings
from ekiben.service.threshold import NAME, with_threshold

SERVICE = "inference.GRPCInferenceService"


def build_methods(dataplane: Dataplane, settings: Settings, protocol: str) -> Mapping[str, Method]:
    """Return the methods by name."""
    api = Api(dataplane, settings, protocol)
    answers = {
        "ModelInfer": api.infer,
        "ServerLive": api.live,
        "ServerReady": api.ready,
        "ModelReady": api.model_ready,
        "ServerMetadata": api.describe_server,
        "ModelMetadata": api.describe,
        "ModelConfig": api.configure,
    }
    requests = {"ModelInfer": MessageHeads()}
    probes = ("ServerLive", "ServerReady", "ModelReady")
    return {
        name: Method(
            requests.get(name) or message(f"inference.{name}Request"),
            answer,
            probe=name in probes,
            select=select_infer if name == "ModelInfer" else select_model,
            rows=name == "ModelInfer",
            safe=name != "ModelInfer",
        )
        for name, answer in answers.items()
    }


def select_infer(request: Any) -> Named | None:
    """Return the model that is to answer."""
    return Named(request.model_name, request.model_version)


def select_model(request: Any) -> Named | None:
    """Return the model that a question is about; some are about none."""
    return Named(request.name, request.version) if hasattr(request, "name") else None


@dataclass(slots=True)
class KnownQuestion:
    """What the head of a message of one row asks."""

    layout: Layout
    requested: Sequence[RequestedOutput]
    datatypes: Sequence[str]  # of the answer
    outputs: bytes | None  # of the answer, without their contents; None if they are not the same each time


class Api:
    """Answers the calls of the service."""

    def __init__(self, dataplane: Dataplane, settings: Settings, protocol: str) -> None:
        self._dataplane = dataplane
        self._model = dataplane.model
        self._settings = settings
        self._protocol = protocol
        self._reader = MessageReader(dataplane, settings)
        schema = dataplane.model.schema
        self._selection = Selection(schema.target)
        self._explained = Selection(schema.target, explanation_specs(schema))
        self._remember = lru_cache(2 * MAX_HEADS)(self._read_head)

    def infer(self, request: Any, call: Call) -> Awaitable[Any]:
        if type(request) is KnownMessage:
            return self._answer_known(request, call)
        return self._answer(request, call)

    async def _answer(self, request: Any, call: Call) -> Any:
        raw, target = bool(request.raw_input_contents), None
        if request.parameters:
            parameters = read_parameters(request.parameters)
            call.timeout_s = read_timeout_s(parameters, call.timeout_s)
            raw = read_flag(parameters, BINARY_OUTPUT, raw)
            if NAME in parameters:
                target = with_threshold(self._model.schema.target, parameters[NAME], f"parameter `{NAME}`")
            if pairs := read_explain(parameters):
                return await self._explain(request, call, pairs, raw, target)
        requested = read_outputs(self._selection, request)
        rows = await call.read_rows(self._dataplane.prepare, self._reader.read, request)
        call.own_id = find_usable(request.id)
        prediction = await self._dataplane.predict(rows, call.left_s(), self._protocol, caller=call)
        outputs = self._selection.pick(prediction.answers, requested, target=target)
        return await call.run(write_message, self._model, request.id, outputs, raw)

    async def _answer_known(self, request: KnownMessage, call: Call) -> Written:
        """Do the same where what the head says was read before."""
        known = self._remember(request.head)
        rows = self._reader.read_known(request, known.layout)
        if request.id:
            call.own_id = find_usable(request.id)
        prediction = await self._dataplane.predict(rows, call.left_s(), self._protocol, caller=call)
        if known.outputs is None:
            outputs = self._selection.pick(prediction.answers, known.requested)
            return write_message(self._model, request.id, outputs, raw=True)
        values = self._selection.list_values(prediction.answers, known.requested)
        contents = map(write_raw, known.datatypes, values)
        return assemble(self._model, request.id, known.outputs, contents)

    def _read_head(self, head: MessageHead) -> "KnownQuestion":
        requested = read_outputs(self._selection, head.said)
        datatypes = [one.spec.datatype for one in requested]
        heads = [write_head(one.spec.name, one.spec.datatype, 1, one.spec.width or 1) for one in requested]
        outputs = b"".join([write_field(OUTPUT_TAG, one) for one in heads])
        plain = not any(one.classes for one in requested)
        return KnownQuestion(self._reader.read_layout(head), requested, datatypes, outputs if plain else None)

    async def _explain(self, request: Any, call: Call, pairs: int, raw: bool, target: Target | None) -> Any:
        requested, explanations = read_outputs(self._explained, request), self._dataplane.explanations
        rows = await call.run(lambda: explanations.prepare(self._reader.read(request), pairs))
        call.ignored = rows.ignored
        explained = await explanations.explain(rows, call.left_s(), self._protocol, pairs=pairs)
        outputs = pick_explained(self._explained, explained, requested, target)
        return await call.run(write_message, self._model, request.id, outputs, raw)

    async def live(self, request: Any, call: Call) -> Any:
        return message("inference.ServerLiveResponse")(live=True)

    async def ready(self, request: Any, call: Call) -> Any:
        return message("inference.ServerReadyResponse")(ready=self._dataplane.ready)

    async def model_ready(self, request: Any, call: Call) -> Any:
        return message("inference.ModelReadyResponse")(ready=self._dataplane.ready)

    async def describe_server(self, request: Any, call: Call) -> Any:
        return message("inference.ServerMetadataResponse")(**describe_server())

    async def describe(self, request: Any, call: Call) -> Any:
        return message("inference.ModelMetadataResponse")(**describe_model(self._model))

    async def configure(self, request: Any, call: Call) -> Any:
        config = describe_config(self._model, self._settings)
        return ParseDict({"config": config}, message("inference.ModelConfigResponse")())


def read_outputs(selection: Selection, request: Any) -> Sequence[RequestedOutput]:
    """Return the outputs that a message asks for."""
    outputs = ((output.name, read_parameters(output.parameters)) for output in request.outputs)
    return selection.read(outputs, binary=False)


def read_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a message's parameters."""
    chosen = {name: value.WhichOneof("parameter_choice") for name, value in parameters.items()}
    return {name: getattr(parameters[name], kind) for name, kind in chosen.items() if kind}
