"""gRPC-Web byte for byte: frames, trailers, text, compression, deadlines, and what is wrong with them."""

import asyncio
import base64
import gzip
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.web_service import INFER, MAX_BYTES, OIP, Service, infer_request, open_service, read_doubles

PROTO = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
TEXT = {"content-type": "application/grpc-web-text"}
EMPTY = b"\0\0\0\0\0"


def frame(content: bytes, flags: int = 0) -> bytes:
    return bytes([flags]) + len(content).to_bytes(4, "big") + content


def read_frames(body: bytes) -> tuple[list[bytes], dict[str, str]]:
    """The messages of an answer, and its trailers, which must end it."""
    messages, at = [], 0
    while True:
        size = int.from_bytes(body[at + 1 : at + 5], "big")
        flags, content = body[at], body[at + 5 : at + 5 + size]
        at += 5 + size
        if flags == 0x80:
            assert at == len(body)
            assert content.endswith(b"\r\n")
            return messages, dict(line.split(": ", 1) for line in content.decode().splitlines())
        messages.append(content)


def run(scenario: Callable[[Service], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with open_service(**options) as service:
            await scenario(service)

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["", "+proto"])
def test_an_answer_is_a_message_and_trailers(kind: str) -> None:
    async def scenario(service: Service) -> None:
        body = frame(infer_request(1.5, 2).SerializeToString())
        answered = await service.client.post(
            INFER, content=body, headers={"content-type": f"application/grpc-web{kind}"}
        )
        assert answered.status_code == 200
        assert answered.headers["content-type"] == "application/grpc-web+proto"
        (answer,), trailers = read_frames(answered.content)
        assert read_doubles(answer) == [3, 4]
        assert trailers.pop("x-prediction-id")
        assert trailers == {"grpc-status": "0", "x-model-version": ""}  # which the servings would name

    run(scenario)


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_text_is_base64_also_in_pieces(pieces: int) -> None:
    async def scenario(service: Service) -> None:
        body = frame(infer_request(7).SerializeToString())
        size = len(body) // pieces + 1
        text = b"".join(base64.b64encode(body[at : at + size]) for at in range(0, len(body), size))
        answered = await service.client.post(INFER, content=text, headers=TEXT)
        assert answered.headers["content-type"] == "application/grpc-web-text+proto"
        message_end = answered.text.index("=") + 1 if "=" in answered.text else 0
        parts = [answered.text[:message_end].rstrip("="), answered.text[message_end:].rstrip("=")]
        decoded = b"".join(base64.b64decode(part + "=" * (-len(part) % 4)) for part in parts)
        (answer,), trailers = read_frames(decoded)
        assert (read_doubles(answer), trailers["grpc-status"]) == ([14], "0")

    run(scenario)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_message_is_unpacked(coding: str) -> None:
    async def scenario(service: Service) -> None:
        content = infer_request(1).SerializeToString()
        packed = gzip.compress(content) if coding == "gzip" else zlib.compress(content)
        headers = PROTO | {"grpc-encoding": coding}
        (answer,), _ = read_frames(
            (await service.client.post(INFER, content=frame(packed, 1), headers=headers)).content
        )
        assert read_doubles(answer) == [2]

    run(scenario)


@pytest.mark.parametrize(
    ("body", "headers", "status", "sentence"),
    [
        (b"", {}, "3", "the call has no message: send one"),
        (frame(b"x: y\r\n", 0x80), {}, "3", "the call has no message: send one"),
        (b"\0\0\0", {}, "3", "the body ends within a message"),
        (frame(b"abc")[:-1], {}, "3", "the body ends within a message"),
        (b"\0\xff\xff\xff\xff", {}, "3", "the body ends within a message"),
        (EMPTY * 2, {}, "12", "the call has 2 messages, this method takes one"),
        (EMPTY * 1001, {}, "3", "the body has more than 1000 messages"),
        (frame(b"\xff"), {}, "3", "the message is not of this method's type"),
        (frame(b"abc", 1), {}, "12", "grpc-encoding '' is not supported"),
        (frame(b"abc", 1), {"grpc-encoding": "br"}, "12", "grpc-encoding 'br' is not supported"),
        (frame(b"abc", 1), {"grpc-encoding": "gzip"}, "3", "the message is not compressed as its content encoding"),
        (frame(gzip.compress(bytes(50 * MAX_BYTES)), 1), {"grpc-encoding": "gzip"}, "8", "larger than max"),
        (frame(bytes(MAX_BYTES + 1)), {}, "8", f"the body is larger than {MAX_BYTES + 5} bytes"),
        (EMPTY, {"grpc-timeout": "5"}, "3", "the header grpc-timeout is not a number of up to 8 digits and one of H"),
        (EMPTY, {"grpc-timeout": "0n"}, "4", "the deadline passed"),
    ],
)
def test_what_is_wrong_is_a_status_and_one_sentence(
    body: bytes, headers: dict[str, str], status: str, sentence: str
) -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(INFER, content=body, headers=PROTO | headers)
        messages, trailers = read_frames(answered.content)
        assert (answered.status_code, messages, trailers["grpc-status"]) == (200, [], status)
        assert sentence in trailers["grpc-message"]

    run(scenario)


@pytest.mark.parametrize("text", [b"*", b"AAAA=A", b"AA=A=A", b"====", b"\xff\xff\xff\xff"])
def test_what_is_not_base64_is_said(text: bytes) -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(INFER, content=text, headers=TEXT)
        _, trailers = read_frames(base64.b64decode(answered.content))
        assert trailers["grpc-status"] == "3"
        assert trailers["grpc-message"] == "the body is not base64, as its content type says"

    run(scenario)


def test_base64_in_thousands_of_pieces_is_not_unpacked() -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(INFER, content=b"AA==" * 1001, headers=TEXT)
        _, trailers = read_frames(base64.b64decode(answered.content))
        assert trailers["grpc-message"].startswith("the body has more than 1000 pieces of base64")

    run(scenario)


def test_a_sentence_is_percent_encoded() -> None:
    async def scenario(service: Service) -> None:
        request = infer_request(1)
        request.inputs[0].name = "wärme%\r\nx: y"
        answered = await service.client.post(INFER, content=frame(request.SerializeToString()), headers=PROTO)
        _, trailers = read_frames(answered.content)
        assert trailers["grpc-status"] == "3"
        assert "w%C3%A4rme%25" in trailers["grpc-message"]
        assert "x" not in trailers

    run(scenario)


def test_a_token_is_asked_for_and_probes_need_none() -> None:
    async def scenario(service: Service) -> None:
        for headers, status in (({}, "16"), ({"authorization": "Bearer secret"}, "0"), ({"authorization": "x"}, "16")):
            answered = await service.client.post(f"{OIP}/ServerMetadata", content=EMPTY, headers=PROTO | headers)
            assert read_frames(answered.content)[1]["grpc-status"] == status
        answered = await service.client.post(f"{OIP}/ServerLive", content=EMPTY, headers=PROTO)
        assert read_frames(answered.content)[0] == [b"\x08\1"]

    run(scenario, token="secret")


def test_an_unknown_method_is_unimplemented() -> None:
    async def scenario(service: Service) -> None:
        answered = await service.client.post(f"{OIP}/ModelInfr", content=EMPTY, headers=PROTO)
        _, trailers = read_frames(answered.content)
        assert trailers["grpc-status"] == "12"
        assert "did you mean `ModelInfer`?" in trailers["grpc-message"]

    run(scenario)
