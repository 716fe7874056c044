"""The protocol's gRPC service: raw tensors are answered raw, typed ones typed."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import ParseDict

from ekiben.contract.columns import Column, Columns
from ekiben.contract.validation import shorten
from ekiben.service.dataplane import Dataplane
from ekiben.service.errors import BadRequest
from ekiben.service.protocols.open_inference.datatypes import (
    DATATYPES,
    STRINGS,
    Datatype,
    decode_strings,
    find_datatype,
    read_raw,
    tensor_error,
    write_raw,
)
from ekiben.service.protocols.open_inference.decode import TensorReader, TensorShape, count_error, read_timeout_s
from ekiben.service.protocols.open_inference.encode import Output, Selection, to_list
from ekiben.service.protocols.open_inference.metadata import describe_model, describe_server
from ekiben.service.protocols.open_inference.triton import describe_config, describe_index, describe_statistics
from ekiben.service.protocols.protocol import Call, Method
from ekiben.service.protos import message
from ekiben.service.settings import Settings

SERVICE = "inference.GRPCInferenceService"
InferResponse = message("inference.ModelInferResponse")


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
        "ModelStatistics": api.count,
        "RepositoryIndex": api.index,
    }
    probes = ("ServerLive", "ServerReady", "ModelReady")
    return {
        name: Method(message(f"inference.{name}Request"), answer, probe=name in probes)
        for name, answer in answers.items()
    }


class Api:
    """Answers the calls of the service."""

    def __init__(self, dataplane: Dataplane, settings: Settings, protocol: str) -> None:
        self._dataplane = dataplane
        self._model = dataplane.model
        self._settings = settings
        self._protocol = protocol
        self._tensors = TensorReader(dataplane.model.schema, dataplane.check_count)
        self._selection = Selection(dataplane.model.schema.target)

    async def infer(self, request: Any, call: Call) -> Any:
        self._dataplane.check_model(request.model_name, request.model_version)
        outputs = ((output.name, read_parameters(output.parameters)) for output in request.outputs)
        requested = self._selection.read(outputs, binary=False)
        if request.parameters:
            call.timeout_s = read_timeout_s(read_parameters(request.parameters), call.timeout_s)
        rows = await call.read_rows(self._dataplane.prepare, self.read_columns, request)
        prediction = await self._dataplane.predict(rows, call.left_s(), self._protocol)
        return await call.run(self.write, request, self._selection.pick(prediction.answers, requested))

    def read_columns(self, request: Any) -> Columns:
        """Return the columns of a request, not checked yet."""
        inputs, raw = request.inputs, request.raw_input_contents
        if raw:
            check_raw(request.model_name, inputs, len(raw))
        sources = raw or [tensor.contents for tensor in inputs]
        heads = (
            (tensor.name, tensor.shape[:], find_datatype(tensor.name, tensor.datatype), source)
            for tensor, source in zip(inputs, sources, strict=True)
        )
        return self._tensors.read(heads, len(inputs), read_content if raw else read_typed, nans=True)

    def write(self, request: Any, outputs: Sequence[Output]) -> Any:
        """Return the message that answers a request."""
        response = InferResponse(model_name=self._model.name, model_version=self._model.version, id=request.id)
        raw = bool(request.raw_input_contents)
        for output in outputs:
            tensor = response.outputs.add(name=output.name, datatype=output.datatype, shape=output.shape)
            if raw:
                response.raw_output_contents.append(write_raw(output.datatype, output.values))
            else:
                values = to_list(output.values)
                field = getattr(tensor.contents, DATATYPES[output.datatype].field)
                field.extend([text.encode() for text in values] if output.datatype == STRINGS else values)
        return response

    async def live(self, request: Any, call: Call) -> Any:
        return message("inference.ServerLiveResponse")(live=True)

    async def ready(self, request: Any, call: Call) -> Any:
        return message("inference.ServerReadyResponse")(ready=self._dataplane.ready)

    async def model_ready(self, request: Any, call: Call) -> Any:
        self._dataplane.check_model(request.name, request.version)
        return message("inference.ModelReadyResponse")(ready=self._dataplane.ready)

    async def describe_server(self, request: Any, call: Call) -> Any:
        return message("inference.ServerMetadataResponse")(**describe_server())

    async def describe(self, request: Any, call: Call) -> Any:
        self._dataplane.check_model(request.name, request.version)
        return message("inference.ModelMetadataResponse")(**describe_model(self._model))

    async def configure(self, request: Any, call: Call) -> Any:
        self._dataplane.check_model(request.name, request.version)
        config = describe_config(self._model, self._settings)
        return ParseDict({"config": config}, message("inference.ModelConfigResponse")())

    async def count(self, request: Any, call: Call) -> Any:
        if request.name:
            self._dataplane.check_model(request.name, request.version)
        counted = describe_statistics(self._model, self._dataplane.statistics())
        return ParseDict(counted, message("inference.ModelStatisticsResponse")())

    async def index(self, request: Any, call: Call) -> Any:
        models = describe_index(self._dataplane, request.ready)
        return message("inference.RepositoryIndexResponse")(models=models)


def check_raw(model: str, inputs: Sequence[Any], raw: int) -> None:
    """Raise BadRequest, in Triton's words, unless there is one raw content for each tensor and no typed one."""
    typed = next((tensor for tensor in inputs if tensor.HasField("contents")), None)
    if typed is not None:
        index = f"'{shorten(typed.name)}' for model '{shorten(model)}'"
        raise BadRequest(400, f"contents field must not be specified when using raw_input_contents for {index}")
    if raw < len(inputs):
        index = f"'{shorten(inputs[raw].name)}' for model '{shorten(model)}'"
        raise BadRequest(400, f"there are no raw_input_contents for {index}: send one for each input, in order")
    if raw > len(inputs):
        counted = f"there are {raw} raw_input_contents for {len(inputs)} inputs"
        raise BadRequest(400, f"{counted}: send one for each, in order")


def read_content(name: str, datatype: Datatype, tensor_shape: TensorShape, content: bytes) -> Column:
    """Return the values of a tensor's raw content."""
    return read_raw(name, datatype, content, 0, len(content), tensor_shape.count)


def read_typed(name: str, datatype: Datatype, tensor_shape: TensorShape, contents: Any) -> Column:
    """Return the values of a tensor's typed contents."""
    if not datatype.field:
        raise tensor_error(name, f"{datatype.name} has no typed contents: send it raw, or as FP32")
    values: list[Any] = getattr(contents, datatype.field)[:]
    if len(values) != tensor_shape.count:
        others = [field.name for field, _ in contents.ListFields() if field.name != datatype.field]
        if others and not values:
            raise tensor_error(name, f"has {others[0]}, its datatype {datatype.name} is for {datatype.field}")
        raise count_error(name, values, tensor_shape)
    return values if datatype.size else decode_strings(name, values)


def read_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a message's parameters."""
    chosen = {name: value.WhichOneof("parameter_choice") for name, value in parameters.items()}
    return {name: getattr(parameters[name], kind) for name, kind in chosen.items() if kind}
