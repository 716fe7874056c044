"""The protocol's gRPC service: raw tensors are answered raw, typed ones typed."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.json_format import ParseDict

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
from ekiben.service.protocols.open_inference.decode import (
    RowReader,
    TensorShape,
    check_names,
    count_error,
    read_timeout_s,
)
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
        self._rows = RowReader(dataplane.model.schema, dataplane.check_count)
        self._selection = Selection(dataplane.model.schema.target)

    async def infer(self, request: Any, call: Call) -> Any:
        self._dataplane.check_model(request.model_name, request.model_version)
        outputs = ((output.name, read_parameters(output.parameters)) for output in request.outputs)
        requested = self._selection.read(outputs, binary=False)
        if request.parameters:
            call.timeout_s = read_timeout_s(read_parameters(request.parameters), call.timeout_s)
        rows = await call.read_rows(self._dataplane.prepare, self.read_rows, request)
        prediction = await self._dataplane.predict(rows, call.left_s(), self._protocol)
        return await call.run(self.write, request, self._selection.pick(prediction.answers, requested))

    def read_rows(self, request: Any) -> list[Any]:
        """Return the rows of a request, not checked yet."""
        inputs, raw = request.inputs, request.raw_input_contents
        names = [tensor.name for tensor in inputs]
        check_names(names)
        if raw:
            check_raw(request.model_name, names, [tensor.HasField("contents") for tensor in inputs], len(raw))
        columns: dict[str, Sequence[Any]] = {}
        tensor_shape: TensorShape | None = None
        for index, (name, tensor) in enumerate(zip(names, inputs, strict=True)):
            datatype = find_datatype(name, called := tensor.datatype)
            shape = tensor.shape
            if tensor_shape is None or shape != tensor_shape.shape:
                tensor_shape = self._rows.measure(name, list(shape), len(names) == 1)
            if raw:
                content = raw[index]
                columns[name] = read_raw(name, datatype, content, 0, len(content), tensor_shape.count)
            else:
                columns[name] = read_typed(name, called, datatype, tensor.contents, tensor_shape)
        assert tensor_shape is not None  # there is at least one name
        return self._rows.to_rows(columns, tensor_shape, strings=not datatype.size, without_nan=False)

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


def check_raw(model: str, names: Sequence[str], typed: Sequence[bool], raw: int) -> None:
    """Raise BadRequest, in Triton's words, unless there is one raw content for each tensor and no typed one."""
    if any(typed):
        index = f"'{shorten(names[typed.index(True)])}' for model '{shorten(model)}'"
        raise BadRequest(400, f"contents field must not be specified when using raw_input_contents for {index}")
    if raw < len(names):
        index = f"'{shorten(names[raw])}' for model '{shorten(model)}'"
        raise BadRequest(400, f"there are no raw_input_contents for {index}: send one for each input, in order")
    if raw > len(names):
        counted = f"there are {raw} raw_input_contents for {len(names)} inputs"
        raise BadRequest(400, f"{counted}: send one for each, in order")


def read_typed(name: str, called: str, datatype: Datatype, contents: Any, tensor_shape: TensorShape) -> Sequence[Any]:
    """Return the values of a tensor's typed contents."""
    if not datatype.field:
        raise tensor_error(name, f"{called} has no typed contents: send it raw, or as FP32")
    values: list[Any] = getattr(contents, datatype.field)[:]
    if len(values) != tensor_shape.count:
        others = [field.name for field, _ in contents.ListFields() if field.name != datatype.field]
        if others and not values:
            raise tensor_error(name, f"has {others[0]}, its datatype {called} is for {datatype.field}")
        raise count_error(name, values, tensor_shape)
    return values if datatype.size else decode_strings(name, values)


def read_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a message's parameters."""
    chosen = {name: value.WhichOneof("parameter_choice") for name, value in parameters.items()}
    return {name: getattr(parameters[name], kind) for name, kind in chosen.items() if kind}
