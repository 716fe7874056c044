"""The real clients of every protocol, each asking for the same thing: rows in, probabilities and labels out."""

import asyncio
import io
import json
import queue
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import bentoml
import grpc
import httpx
import numpy as np
import pandas as pd
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from google.protobuf.json_format import MessageToJson, ParseDict
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from ekiben.contract.schema import Schema
from ekiben.contract.tensors import input_specs
from ekiben.service.protos import message
from tests.conftest import NAME, PATIENCE_S, Server
from tests.http_client import HTTP

Rows = list[dict[str, Any]]
Answer = tuple[list[float], list[Any]]  # probabilities, labels
Caller = Callable[[Server, Schema, Rows], Answer]
JSON = {"content-type": "application/json"}
INFER = f"/v2/models/{NAME}/infer"
MODEL_INFER = "inference.GRPCInferenceService/ModelInfer"
STREAM_INFER = "inference.GRPCInferenceService/ModelStreamInfer"
PREDICT = f"/v1/models/{NAME}:predict"


def columns(schema: Schema, rows: Rows) -> dict[str, tuple[str, list[Any]]]:
    """The rows as tensors: a datatype and values for each feature."""
    return {spec.name: (spec.datatype, [row[spec.name] for row in rows]) for spec in input_specs(schema)}


def to_array(datatype: str, values: Sequence[Any]) -> np.ndarray:
    if datatype == "BYTES":
        return np.array([[b"" if value is None else value.encode()] for value in values], object)
    return np.array([[np.nan if value is None else value] for value in values], np.float32)


def post(server: Server, path: str, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answered = HTTP.post(server.url + path, content=content, headers=JSON | headers)
    assert answered.status_code == 200, answered.text
    return answered.json()


def from_records(records: Sequence[Mapping[str, Any]]) -> Answer:
    return [record["probability"] for record in records], [record["label"] for record in records]


def from_triton(result: Any) -> Answer:
    return result.as_numpy("probability").ravel().tolist(), result.as_numpy("label").ravel().tolist()


def triton_inputs(module: Any, schema: Schema, rows: Rows, **options: Any) -> list[Any]:
    made = []
    for name, (datatype, values) in columns(schema, rows).items():
        array = to_array(datatype, values)
        tensor = module.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array, **options)
        made.append(tensor)
    return made


def predict(server: Server, schema: Schema, rows: Rows) -> Answer:
    return from_records(post(server, "/predict", {"rows": rows})["predictions"])


def predict_http2(server: Server, schema: Schema, rows: Rows) -> Answer:
    with httpx.Client(http1=False, http2=True, timeout=PATIENCE_S) as client:
        answered = client.post(f"{server.url}/predict", json={"rows": rows})
    assert (answered.http_version, answered.status_code) == ("HTTP/2", 200)
    return from_records(answered.json()["predictions"])


def curl_http2(server: Server, schema: Schema, rows: Rows) -> Answer:
    return from_records(curl(f"{server.url}/predict", {"rows": rows}, "--http2-prior-knowledge")["predictions"])


def curl(url: str, body: Any, *options: str) -> Any:
    """Ask with curl, which must speak HTTP/2; return the JSON of its answer."""
    said = ("--write-out", "\n%{http_version} %{response_code}", "--header", "content-type: application/json")
    command = ["curl", "--silent", "--show-error", *options, *said, "--data-binary", "@-", url]
    asked = json.dumps(body).encode()
    done = subprocess.run(command, input=asked, check=True, capture_output=True, timeout=PATIENCE_S)
    content, _, ended = done.stdout.decode().rpartition("\n")
    assert ended == "2 200", done.stdout
    return json.loads(content)


def bento(server: Server, schema: Schema, rows: Rows) -> Answer:
    with bentoml.SyncHTTPClient(server.url) as client:
        return from_records(client.predict(rows=rows)["predictions"])


def triton_binary(server: Server, schema: Schema, rows: Rows, **options: Any) -> Answer:
    client = triton_http.InferenceServerClient(server.url.removeprefix("http://"))
    return from_triton(client.infer(NAME, triton_inputs(triton_http, schema, rows), **options))


def triton_json(server: Server, schema: Schema, rows: Rows) -> Answer:
    client = triton_http.InferenceServerClient(server.url.removeprefix("http://"))
    inputs = []
    for name, (datatype, values) in columns(schema, rows).items():
        # The client can write neither null nor NaN as JSON.
        binary = datatype != "BYTES" and None in values
        tensor = triton_http.InferInput(name, [len(rows), 1], datatype)
        tensor.set_data_from_numpy(to_array(datatype, values), binary_data=binary)
        inputs.append(tensor)
    wanted = [triton_http.InferRequestedOutput(name, binary_data=False) for name in ("probability", "label")]
    return from_triton(client.infer(NAME, inputs, outputs=wanted))


def triton_gzip(server: Server, schema: Schema, rows: Rows) -> Answer:
    return triton_binary(server, schema, rows, request_compression_algorithm="gzip")


def triton_deflate(server: Server, schema: Schema, rows: Rows) -> Answer:
    return triton_binary(server, schema, rows, request_compression_algorithm="deflate")


def triton_aio(server: Server, schema: Schema, rows: Rows) -> Answer:
    async def ask() -> Answer:
        async with triton_http_aio.InferenceServerClient(server.url.removeprefix("http://")) as client:
            return from_triton(await client.infer(NAME, triton_inputs(triton_http_aio, schema, rows)))

    return asyncio.run(ask())


def oip_json(server: Server, schema: Schema, rows: Rows) -> Answer:
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": datatype, "data": values}
        for name, (datatype, values) in columns(schema, rows).items()
    ]
    outputs = {one["name"]: one["data"] for one in post(server, INFER, {"inputs": inputs})["outputs"]}
    return outputs["probability"], outputs["label"]


def oip_matrix(server: Server, schema: Schema, rows: Rows) -> Answer:
    data = [[row[name] for name in schema.names] for row in rows]
    one = {"name": "rows", "shape": [len(rows), len(schema.names)], "datatype": "BYTES", "data": data}
    outputs = {one["name"]: one["data"] for one in post(server, INFER, {"inputs": [one]})["outputs"]}
    return outputs["probability"], outputs["label"]


def triton_grpc_raw(server: Server, schema: Schema, rows: Rows) -> Answer:
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        return from_triton(client.infer(NAME, triton_inputs(triton_grpc, schema, rows)))


def triton_grpc_async(server: Server, schema: Schema, rows: Rows) -> Answer:
    async def ask() -> Answer:
        async with triton_grpc_aio.InferenceServerClient(server.grpc) as client:
            return from_triton(await client.infer(NAME, triton_inputs(triton_grpc_aio, schema, rows)))

    return asyncio.run(ask())


def typed_request(schema: Schema, rows: Rows) -> Any:
    request = message("inference.ModelInferRequest")(model_name=NAME)
    for name, (datatype, values) in columns(schema, rows).items():
        tensor = request.inputs.add(name=name, datatype=datatype, shape=[len(rows)])
        flat = to_array(datatype, values).ravel()
        getattr(tensor.contents, "bytes_contents" if datatype == "BYTES" else "fp32_contents").extend(flat)
    return request


def from_typed(answered: Any) -> Answer:
    outputs = {output.name: output.contents for output in answered.outputs}
    return list(outputs["probability"].fp32_contents), list(outputs["label"].bool_contents)


def oip_grpc_typed(server: Server, schema: Schema, rows: Rows) -> Answer:
    request = typed_request(schema, rows)
    return from_typed(call(server, MODEL_INFER, request, "inference.ModelInferResponse"))


def connect_json(server: Server, schema: Schema, rows: Rows) -> Answer:
    asked = MessageToJson(typed_request(schema, rows)).encode()
    answered = post(server, f"/{MODEL_INFER}", asked)
    return from_typed(ParseDict(answered, message("inference.ModelInferResponse")()))


def connect_proto(server: Server, schema: Schema, rows: Rows) -> Answer:
    asked, kind = typed_request(schema, rows).SerializeToString(), {"content-type": "application/proto"}
    answered = HTTP.post(f"{server.url}/{MODEL_INFER}", content=asked, headers=kind)
    return from_typed(message("inference.ModelInferResponse").FromString(answered.content))


def grpc_web(server: Server, schema: Schema, rows: Rows) -> Answer:
    asked, kind = typed_request(schema, rows).SerializeToString(), {"content-type": "application/grpc-web+proto"}
    frame = b"\0" + len(asked).to_bytes(4, "big") + asked
    body = HTTP.post(f"{server.url}/{MODEL_INFER}", content=frame, headers=kind).content
    size = int.from_bytes(body[1:5], "big")
    assert b"grpc-status: 0\r\n" in body[5 + size :]
    return from_typed(message("inference.ModelInferResponse").FromString(body[5 : 5 + size]))


def oip_grpc_main_port(server: Server, schema: Schema, rows: Rows) -> Answer:
    elsewhere = replace(server, grpc=server.url.removeprefix("http://"))
    return oip_grpc_typed(elsewhere, schema, rows)


def oip_grpc_stream(server: Server, schema: Schema, rows: Rows) -> Answer:
    """Send each row as a message of a stream."""
    response = message("inference.ModelStreamInferResponse")
    with grpc.insecure_channel(server.grpc) as channel:
        ask = channel.stream_stream(f"/{STREAM_INFER}", lambda one: one.SerializeToString(), response.FromString)
        asked = ask((typed_request(schema, [row]) for row in rows), timeout=PATIENCE_S)
        answers = [from_typed(one.infer_response) for one in asked]
    return [value for values, _ in answers for value in values], [label for _, labels in answers for label in labels]


def triton_grpc_stream(server: Server, schema: Schema, rows: Rows) -> Answer:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    with triton_grpc.InferenceServerClient(server.grpc) as client:
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer(NAME, triton_inputs(triton_grpc, schema, rows))
        result, error = answers.get(timeout=PATIENCE_S)
    assert error is None
    return from_triton(result)


def call(server: Server, method: str, request: Any, response: str) -> Any:
    with grpc.insecure_channel(server.grpc) as channel:
        ask = channel.unary_unary(
            f"/{method}", lambda one: one if isinstance(one, bytes) else one.SerializeToString(),
            message(response).FromString,
        )  # fmt: skip
        return ask(request, timeout=PATIENCE_S)


def tfs_rows(server: Server, schema: Schema, rows: Rows) -> Answer:
    return from_records(post(server, PREDICT, {"instances": rows})["predictions"])


def tfs_columns(server: Server, schema: Schema, rows: Rows) -> Answer:
    inputs = {name: [row[name] for row in rows] for name in schema.names}
    path = f"/v1/models/{NAME}/labels/champion:predict"
    outputs = post(server, path, {"signature_name": "serving_default", "inputs": inputs})["outputs"]
    return outputs["probability"], outputs["label"]


def kserve_v1(server: Server, schema: Schema, rows: Rows) -> Answer:
    positional = [[row[name] for name in schema.names] for row in rows]
    return from_records(post(server, PREDICT, {"inputs": positional})["predictions"])


def tfs_grpc(server: Server, schema: Schema, rows: Rows) -> Answer:
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    for name, (datatype, values) in columns(schema, rows).items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(to_array(datatype, values).ravel()))
    with grpc.insecure_channel(server.grpc) as channel:
        answered = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=PATIENCE_S)
    assert tf.make_ndarray(answered.outputs["probability"]).shape == (len(rows),)
    return list(answered.outputs["probability"].float_val), list(answered.outputs["label"].bool_val)


def mlflow_client(server: Server, schema: Schema, rows: Rows) -> Answer:
    table = pd.DataFrame(rows)
    for feature in schema.timestamps:
        table[feature.name] = pd.to_datetime(table[feature.name])
    client = ScoringServerClient("127.0.0.1", int(server.url.rpartition(":")[2]))
    return from_records(client.invoke(table).get_predictions().to_dict("records"))


def invocations_records(server: Server, schema: Schema, rows: Rows) -> Answer:
    return from_records(post(server, "/invocations", {"dataframe_records": rows, "params": {}})["predictions"])


def invocations_oip(server: Server, schema: Schema, rows: Rows) -> Answer:
    inputs = [
        {"name": name, "shape": [len(rows), 1], "datatype": datatype, "data": [[value] for value in values]}
        for name, (datatype, values) in columns(schema, rows).items()
    ]
    outputs = {one["name"]: one["data"] for one in post(server, "/invocations", {"inputs": inputs})["outputs"]}
    return outputs["probability"], outputs["label"]


def csv_with_header(server: Server, schema: Schema, rows: Rows) -> Answer:
    content = pd.DataFrame(rows)[list(reversed(schema.names))].to_csv(index=False).encode()
    return from_records(post(server, "/invocations", content, **{"content-type": "text/csv"})["predictions"])


def csv_without_header(server: Server, schema: Schema, rows: Rows) -> Answer:
    content = pd.DataFrame(rows)[list(schema.names)].to_csv(index=False, header=False).encode()
    headers = {"content-type": "text/csv", "accept": "text/csv"}
    answered = HTTP.post(f"{server.url}/invocations", content=content, headers=headers)
    cells = [line.split(",") for line in answered.text.splitlines()]
    return [float(one) for one, _ in cells], [label == "True" for _, label in cells]


def parquet(server: Server, schema: Schema, rows: Rows) -> Answer:
    table = pd.DataFrame(rows)
    for feature in schema.timestamps:
        table[feature.name] = pd.to_datetime(table[feature.name])
    output = io.BytesIO()
    table.to_parquet(output)
    kind = {"content-type": "application/vnd.apache.parquet"}
    return from_records(post(server, "/invocations", output.getvalue(), **kind)["predictions"])


CALLERS: Mapping[tuple[str, str], Caller] = {
    ("httpx", "/predict"): predict,
    ("httpx, HTTP/2", "/predict"): predict_http2,
    ("curl --http2-prior-knowledge", "/predict"): curl_http2,
    ("bentoml.SyncHTTPClient", "/predict"): bento,
    ("tritonclient.http", "infer, binary"): triton_binary,
    ("tritonclient.http", "infer, JSON"): triton_json,
    ("tritonclient.http", "infer, gzip"): triton_gzip,
    ("tritonclient.http", "infer, deflate"): triton_deflate,
    ("tritonclient.http.aio", "infer, binary"): triton_aio,
    ("tritonclient.grpc", "infer, raw"): triton_grpc_raw,
    ("tritonclient.grpc.aio", "infer, raw"): triton_grpc_async,
    ("tritonclient.grpc", "ModelStreamInfer, raw"): triton_grpc_stream,
    ("grpcio, our .proto", "infer, typed"): oip_grpc_typed,
    ("grpcio, our .proto", "infer, typed, HTTP port"): oip_grpc_main_port,
    ("grpcio, our .proto", "ModelStreamInfer, typed"): oip_grpc_stream,
    ("httpx", "Connect, JSON"): connect_json,
    ("httpx", "Connect, protobuf"): connect_proto,
    ("httpx", "gRPC-Web"): grpc_web,
    ("httpx", "/v2 infer, a tensor a feature"): oip_json,
    ("httpx", "/v2 infer, one tensor of all"): oip_matrix,
    ("tensorflow_serving.apis", "Predict"): tfs_grpc,
    ("httpx", "TensorFlow Serving, rows"): tfs_rows,
    ("httpx", "TensorFlow Serving, columns, by label"): tfs_columns,
    ("httpx", "KServe V1, positional"): kserve_v1,
    ("mlflow ScoringServerClient", "/invocations"): mlflow_client,
    ("httpx", "/invocations, records"): invocations_records,
    ("httpx", "/invocations, Open Inference"): invocations_oip,
    ("httpx", "/invocations, CSV with a header"): csv_with_header,
    ("httpx", "/invocations, CSV without, CSV back"): csv_without_header,
    ("httpx", "/invocations, Parquet"): parquet,
}
