"""Messages whose head is known: they say what protobuf's parser finds in the same bytes, whatever is changed there."""

import asyncio
import random
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError

from ekiben.contract.errors import InvalidInput
from ekiben.service.errors import BadRequest
from ekiben.service.protocols.open_inference import message_heads
from ekiben.service.protocols.open_inference.datatypes import DATATYPES, read_raw, write_raw
from ekiben.service.protocols.open_inference.message_heads import (
    MAX_FORMS,
    MAX_HEADS,
    InferRequest,
    InputTensor,
    KnownMessage,
    MessageHeads,
)
from ekiben.service.protocols.protocol import Call
from tests.fuzz.service import MANIFEST, ROW, Service

SERVICE_METHOD = "inference.GRPCInferenceService/ModelInfer"
ROUNDS = 300


def tensor(name: str, datatype: str, shape: list[int]) -> bytes:
    return bytes(InputTensor(name=name, datatype=datatype, shape=shape).SerializeToString())


class Caller:
    """Sends the same head with other values, ids, and changes in it."""

    def __init__(self, seed: int) -> None:
        self._random = draw = random.Random(seed)
        names = draw.sample(sorted(DATATYPES), draw.randrange(1, 8))
        shape = draw.choice(([1], [1, 1]))
        self.datatypes = [DATATYPES[name] for name in names]
        self._head: dict[str, Any] = {
            "model_name": draw.choice(("", "flights", "köy")),
            "model_version": draw.choice(("", "12")),
            "inputs": [tensor(f"x{index}", name, shape) for index, name in enumerate(names)],
            "outputs": [{"name": name} for name in draw.sample(["probability", "label"], draw.randrange(3))],
        }

    def content(self, datatype: Any) -> bytes:
        if not datatype.size:
            text = self._random.choice(("", "IST", "köy", "a" * self._random.randrange(150)))
            return write_raw("BYTES", [text])
        return self._random.randbytes(datatype.size)

    def ask(self) -> bytes:
        contents = [self.content(datatype) for datatype in self.datatypes]
        given = self._random.choice(({}, {"id": "7"}, {"id": "köy" * self._random.randrange(60)}))
        return bytes(InferRequest(**self._head, raw_input_contents=contents, **given).SerializeToString())

    def spoil(self, body: bytes) -> bytes:
        draw = self._random
        at = draw.randrange(len(body))
        return draw.choice(
            (
                body[:at] + bytes([draw.randrange(256)]) + body[at + 1 :],
                body[:at],
                body[:at] + draw.randbytes(draw.randrange(1, 4)) + body[at:],
                body + body[at:],
                body + InferRequest(model_name="other").SerializeToString(),
                body + InferRequest(parameters={"timeout": {"int64_param": 5}}).SerializeToString(),
                body + InferRequest(raw_input_contents=[b"abcd"]).SerializeToString(),
            )
        )


def parse(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError:
        return None


def show(value: Any) -> Any:
    return np.float64(value).tobytes() if isinstance(value, float) else value


def check(known: KnownMessage, body: bytes) -> None:
    request = InferRequest.FromString(body)
    said = known.head.said
    assert (known.model_name, known.model_version, known.id) == (request.model_name, request.model_version, request.id)
    assert list(known.head.inputs) == list(request.inputs)
    assert said.outputs == request.outputs
    assert not said.parameters
    assert not request.parameters
    tensors = [InputTensor.FromString(one) for one in request.inputs]
    pairs = list(zip(tensors, request.raw_input_contents, strict=True))
    read = [read_raw(one.name, DATATYPES[one.datatype], data, 0, len(data), 1) for one, data in pairs]
    assert [show(value) for value in known.row] == [show(value) for (value,) in read]


def test_a_known_message_says_what_its_bytes_say() -> None:
    count = 0
    for seed in range(ROUNDS):
        caller, heads = Caller(seed), MessageHeads()
        for _ in range(30):
            body = caller.ask()
            for sent in (body, body, caller.spoil(body)):
                read = parse(heads, sent)
                if isinstance(read, KnownMessage):
                    count += 1
                    check(read, sent)
                else:
                    assert read == parse(InferRequest, sent)
    assert count > 10 * ROUNDS


def test_heads_and_forms_are_bounded_and_a_head_is_learnt_when_it_comes_again() -> None:
    heads = MessageHeads()
    for number in range(4 * MAX_HEADS):
        body = InferRequest(
            model_name=f"m{number}", inputs=[tensor("x", "FP32", [1])], raw_input_contents=[b"abcd"]
        ).SerializeToString()
        read = [type(heads.FromString(body)) for _ in range(3)]
        assert (read[0], read[2]) == (InferRequest, KnownMessage)
        assert len(heads._known) <= MAX_HEADS
    inputs = [tensor("x", "BYTES", [1]), tensor("y", "BYTES", [1])]
    for number in range(3 * MAX_FORMS):
        contents = [write_raw("BYTES", ["a" * (number % 100)]), write_raw("BYTES", ["b" * (number // 100)])]
        body = InferRequest(inputs=inputs, raw_input_contents=contents).SerializeToString()
        heads.FromString(body)
    assert max(len(head.forms) for head in heads._known) == MAX_FORMS


@pytest.mark.parametrize(
    "given",
    [
        {"inputs": [tensor("x", "FP32", [2])], "raw_input_contents": [b"abcdefgh"]},
        {"inputs": [tensor("x", "BF16", [1])], "raw_input_contents": [b"ab"]},
        {"inputs": [tensor("x", "?", [1])], "raw_input_contents": [b"ab"]},
        {"inputs": [tensor("x", "FP32", [1])], "raw_input_contents": [b"ab"]},
        {"inputs": [tensor("x", "FP32", [1])]},
        {"inputs": [tensor("x", "BYTES", [1])], "raw_input_contents": [b"\1\0\0\0\xff"]},
        {"inputs": [tensor("x", "BYTES", [1])], "raw_input_contents": [b"\2\0\0\0a"]},
    ],
)
def test_what_is_no_row_is_read_by_protobuf(given: Any) -> None:
    heads, body = MessageHeads(), InferRequest(**given).SerializeToString()
    for _ in range(5):
        assert heads.FromString(body) == InferRequest.FromString(body)


def test_a_head_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []
    monkeypatch.setattr(message_heads, "make_head", lambda before, after: looked.append(after))
    heads = MessageHeads()
    body = InferRequest(inputs=[tensor("x", "FP32", [2])], raw_input_contents=[b"abcdefgh"]).SerializeToString()
    for _ in range(5):
        heads.FromString(body)
    assert len(looked) == 1


def raw_message(row: dict[str, Any], **given: Any) -> bytes:
    """Return a row as raw tensors, with an output or more as wanted."""
    inputs, contents = [], []
    for name, value in row.items():
        datatype = {str: "BYTES", bool: "BOOL", float: "FP32", int: "INT64"}[type(value)]
        inputs.append(tensor(name, datatype, [1, 1]))
        contents.append(write_raw(datatype, [value]))
    message = {"inputs": inputs, "raw_input_contents": contents, **given}
    return bytes(InferRequest(**message).SerializeToString())


ANSWERED: list[dict[str, Any]] = [
    {},
    {"id": "mine"},
    {"outputs": [{"name": "label"}]},
    {"outputs": [{"name": "probability", "parameters": {"classification": {"int64_param": 2}}}]},
    {"outputs": [{"name": "none"}]},
    {"model_name": "other"},
    {"parameters": {"timeout": {"int64_param": 10_000_000}}},
    {"parameters": {"binary_data_output": {"bool_param": False}}},
]


@pytest.mark.parametrize("given", ANSWERED, ids=str)
def test_answers_are_the_same_once_the_head_is_known(given: Any) -> None:
    async def scenario() -> None:
        method = Service().methods[SERVICE_METHOD]
        body = raw_message(ROW, **({"model_name": MANIFEST.name} | given))
        answers, ids = set(), set()
        for _ in range(4):
            request, call = method.request.FromString(body), Call(60.0)
            try:
                answers.add(bytes((await method.answer(request, call)).SerializeToString()))
                ids.add(call.prediction_id == b"mine")
            except (BadRequest, InvalidInput) as error:
                answers.add(str(error).encode())
        assert len(answers) == 1
        assert isinstance(request, KnownMessage) is ("parameters" not in given)
        assert ids <= {given.get("id") == "mine"}

    asyncio.run(scenario())


@pytest.mark.parametrize("value", [float("nan"), 1e9, "text"])
def test_a_value_that_is_missing_or_wrong_is_so_once_the_head_is_known(value: Any) -> None:
    async def scenario() -> None:
        method = Service().methods[SERVICE_METHOD]
        body = raw_message(ROW | {"x": value, "city with spaces": ""}, model_name=MANIFEST.name)
        answers = set()
        for _ in range(4):
            try:
                answered = await method.answer(method.request.FromString(body), Call(60.0))
                answers.add(bytes(answered.SerializeToString()))
            except InvalidInput as error:
                answers.add(str(error).encode())
        assert len(answers) == 1

    asyncio.run(scenario())
