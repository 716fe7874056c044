"""TensorFlow Serving's gRPC services: PredictionService and ModelService."""

from collections.abc import Mapping
from typing import Any

from ekiben.contract.answers import Answers
from ekiben.contract.columns import Columns
from ekiben.contract.schema import Target
from ekiben.contract.tensor_decoding import TensorDecoder
from ekiben.contract.tensors import output_specs, to_tensors
from ekiben.contract.validation import no_rows, show, validate_names
from ekiben.service.dataplane import Dataplane, Prediction
from ekiben.service.errors import BadRequest
from ekiben.service.protocols.protocol import Call, Method
from ekiben.service.protocols.tensorflow_serving.examples import (
    ExampleReader,
    check_task,
    to_classifications,
    to_regressions,
)
from ekiben.service.protocols.tensorflow_serving.model_spec import SIGNATURE, check_signature, read_spec
from ekiben.service.protocols.tensorflow_serving.signature import SIGNATURE_DEF, describe_signature
from ekiben.service.protocols.tensorflow_serving.tensor_proto import read_tensors, write_tensor
from ekiben.service.protos import enum, message
from ekiben.service.threshold import HEADER, with_header

PACKAGE = "tensorflow.serving"
STATES = enum(f"{PACKAGE}.ModelVersionStatus.State")
PredictRequest, PredictResponse = message(f"{PACKAGE}.PredictRequest"), message(f"{PACKAGE}.PredictResponse")
ClassificationRequest, RegressionRequest = message("ekiben.ClassificationRequest"), message("ekiben.RegressionRequest")
ClassificationResponse = message(f"{PACKAGE}.ClassificationResponse")
RegressionResponse = message(f"{PACKAGE}.RegressionResponse")
GetModelMetadataRequest = message(f"{PACKAGE}.GetModelMetadataRequest")
GetModelMetadataResponse = message(f"{PACKAGE}.GetModelMetadataResponse")
GetModelStatusRequest = message(f"{PACKAGE}.GetModelStatusRequest")
GetModelStatusResponse = message(f"{PACKAGE}.GetModelStatusResponse")
ModelSpec = message(f"{PACKAGE}.ModelSpec")


def build_services(dataplane: Dataplane, protocol: str) -> Mapping[str, Mapping[str, Method]]:
    """Return both services by their full names."""
    api = Api(dataplane, protocol)
    return {
        f"{PACKAGE}.PredictionService": {
            "Predict": Method(PredictRequest, api.predict, select=read_spec, rows=True),
            "Classify": Method(ClassificationRequest, api.classify, select=read_spec, rows=True),
            "Regress": Method(RegressionRequest, api.regress, select=read_spec, rows=True),
            "GetModelMetadata": Method(GetModelMetadataRequest, api.describe, select=read_spec, safe=True),
        },
        f"{PACKAGE}.ModelService": {
            "GetModelStatus": Method(GetModelStatusRequest, api.report_status, probe=True, select=read_spec)
        },
    }


class Api:
    """Answers the calls of both services."""

    def __init__(self, dataplane: Dataplane, protocol: str) -> None:
        self._dataplane = dataplane
        self._protocol = protocol
        self._schema = dataplane.model.schema
        self._features = frozenset(self._schema.names)
        self._reader = TensorDecoder(self._schema)
        self._examples = ExampleReader(self._schema, dataplane.check_count, dataplane.fields.ignore)
        self._outputs = {spec.name: spec for spec in output_specs(self._schema.target)}
        self._spec = ModelSpec(name=dataplane.model.name, signature_name=SIGNATURE)
        self._spec.version.value = int(dataplane.model.version)

    async def predict(self, request: Any, call: Call) -> Any:
        rows = await call.read_rows(self._dataplane.prepare, self.read_predict, request)
        target = with_header(self._schema.target, call.read_header(HEADER))
        prediction = await self._dataplane.predict(rows, call.left_s(), self._protocol, caller=call)
        return await call.run(self.write_predict, target, prediction.answers, request.output_filter)

    def read_predict(self, request: Any) -> Columns:
        """Return the rows of a request, not checked yet."""
        check_signature(request.model_spec.signature_name)
        for name in request.output_filter:
            if name not in self._outputs:
                known = ", ".join(self._outputs)
                raise BadRequest(400, f"output_filter: there is no output {show(name)}, only {known}")
        if not (self._dataplane.fields.ignore or self._features.issuperset(request.inputs)):
            validate_names(self._schema, request.inputs)
        columns = self._reader.to_columns(read_tensors(request.inputs, self._dataplane.check_count), nans=True)
        if not columns.rows:
            raise no_rows("inputs")
        return columns

    def write_predict(self, target: Target, answers: Answers, wanted: Any) -> Any:
        """Return the message with the outputs that are wanted, all if none is named."""
        response = PredictResponse(model_spec=self._spec)
        for name, values in to_tensors(target, answers).items():
            if not wanted or name in wanted:
                write_tensor(response.outputs[name], self._outputs[name], values)
        return response

    async def classify(self, request: Any, call: Call) -> Any:
        prediction = await self._answer_examples(request, call, "classify")
        return await call.run(self.write_classes, prediction.answers)

    def write_classes(self, answers: Answers) -> Any:
        """Return the message with each class's score for each row."""
        response = ClassificationResponse(model_spec=self._spec)
        response.result.SetInParent()
        for classes in to_classifications(self._schema.target, answers):
            classified = response.result.classifications.add()
            for label, score in classes:
                classified.classes.add(label=label, score=score)
        return response

    async def regress(self, request: Any, call: Call) -> Any:
        prediction = await self._answer_examples(request, call, "regress")
        response = RegressionResponse(model_spec=self._spec)
        response.result.SetInParent()
        for value in to_regressions(prediction.answers):
            response.result.regressions.add(value=value)
        return response

    async def describe(self, request: Any, call: Call) -> Any:
        check_signature(request.model_spec.signature_name)
        if set(request.metadata_field) != {SIGNATURE_DEF}:
            given = ", ".join(map(show, request.metadata_field)) or "none"
            raise BadRequest(400, f"metadata_field: expected `{SIGNATURE_DEF}`, got {given}")
        response = GetModelMetadataResponse(model_spec=self._spec)
        response.model_spec.ClearField("signature_name")
        response.metadata[SIGNATURE_DEF].Pack(describe_signature(self._schema))
        return response

    async def report_status(self, request: Any, call: Call) -> Any:
        check_signature(request.model_spec.signature_name)
        response = GetModelStatusResponse()
        state = STATES["AVAILABLE" if self._dataplane.ready else "UNLOADING"]
        status = response.model_version_status.add(version=self._spec.version.value, state=state)
        status.status.SetInParent()
        return response

    async def _answer_examples(self, request: Any, call: Call, method: str) -> Prediction:
        check_signature(request.model_spec.signature_name)
        check_task(self._schema.target, method)
        rows = await call.read_rows(self._dataplane.prepare, self._examples.read_messages, request.input, call.left_s)
        return await self._dataplane.predict(rows, call.left_s(), self._protocol, caller=call)
