"""What pages of other origins may do: asked before, told with every answer, and off unless it is set."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from ekiben.service.connections.cross_origin import CrossOriginRejections
from ekiben.service.connections.rejections import REJECTION
from ekiben.service.environment import read_settings
from ekiben.service.http.cors import MAX_ASKED_BYTES, Cors
from ekiben.service.settings import InvalidSettings
from tests.web_service import INFER, Service, open_service

SHOP, OTHER = "https://shop.example", "https://other.example"
ORIGIN, CREDENTIALS = "access-control-allow-origin", "access-control-allow-credentials"
ASKS = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


def run(scenario: Callable[[Service], Awaitable[None]], **options: Any) -> None:
    async def main() -> None:
        async with open_service(**options) as service:
            await scenario(service)

    asyncio.run(main())


async def ask_before(service: Service, path: str = INFER, **headers: str) -> httpx.Response:
    return await service.client.options(path, headers={"origin": SHOP} | ASKS | headers)


def test_an_allowed_origin_is_answered_before_it_calls_without_the_token() -> None:
    async def scenario(service: Service) -> None:
        answered = await ask_before(service)
        assert (answered.status_code, answered.content) == (204, b"")
        assert answered.headers[ORIGIN] == SHOP
        assert answered.headers[CREDENTIALS] == "true"
        assert "POST" in answered.headers["access-control-allow-methods"]
        assert answered.headers["access-control-allow-headers"] == "authorization,content-type"
        assert int(answered.headers["access-control-max-age"]) > 0
        varies = "origin, access-control-request-method, access-control-request-headers"
        assert answered.headers["vary"] == varies
        assert "content-length" not in answered.headers

    run(scenario, token="secret", cors_origins=f"{OTHER},{SHOP}")


def test_another_origin_is_told_which_setting_refuses_it() -> None:
    async def scenario(service: Service) -> None:
        answered = await ask_before(service, origin="https://evil.example")
        assert answered.status_code == 403
        assert not [name for name in answered.headers if name.startswith("access-control")]
        assert answered.headers["vary"].startswith("origin")
        assert "CORS_ORIGINS" in answered.json()["error"]

    run(scenario, cors_origins=SHOP)


@pytest.mark.parametrize("asked", ["a b", "a,", "é", "x" * (MAX_ASKED_BYTES + 1), "a:b"])
def test_headers_beyond_reason_are_not_allowed(asked: str) -> None:
    async def scenario(service: Service) -> None:
        headers = {"origin": SHOP} | ASKS
        given = [(name.encode(), value.encode()) for name, value in headers.items() if "headers" not in name]
        given.append((b"access-control-request-headers", asked.encode()))
        answered = await service.client.options(INFER, headers=given)
        assert answered.status_code == 204
        assert "access-control-allow-headers" not in answered.headers

    run(scenario, cors_origins=SHOP)


ANSWERS: list[tuple[str, str, dict[str, str], int]] = [
    ("GET", "/v2", {"authorization": "Bearer secret"}, 200),
    ("GET", "/v2", {}, 401),
    ("GET", "/nothing", {"authorization": "Bearer secret"}, 404),
    ("PUT", "/v2", {"authorization": "Bearer secret"}, 405),
    ("OPTIONS", "/v2", {"authorization": "Bearer secret"}, 405),  # nobody asks before
    ("POST", INFER, {"content-type": "application/json"}, 401),
    ("POST", INFER, {"content-type": "application/json", "authorization": "Bearer secret"}, 400),
    ("POST", INFER, {"content-type": "application/grpc-web", "authorization": "Bearer secret"}, 200),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), ANSWERS)
def test_every_answer_carries_the_headers_of_its_origin(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async def scenario(service: Service) -> None:
        for origin, allowed in ((SHOP, SHOP), ("https://evil.example", None), ("", None)):
            given = headers | ({"origin": origin} if origin else {})
            answered = await service.client.request(method, path, headers=given)
            assert (answered.status_code, answered.headers.get(ORIGIN)) == (status, allowed)
            assert (answered.headers["vary"], answered.headers.get(CREDENTIALS)) == ("origin", allowed and "true")
            exposed = answered.headers.get("access-control-expose-headers", "")
            assert ("x-prediction-id" in exposed, "grpc-status" in exposed) == (bool(allowed),) * 2

    run(scenario, token="secret", cors_origins=SHOP)


def test_every_origin_may_call_without_credentials() -> None:
    async def scenario(service: Service) -> None:
        for headers in ({"origin": SHOP}, {"origin": "null"}, {}):
            answered = await service.client.get("/v2", headers=headers)
            assert answered.headers[ORIGIN] == "*"
            assert CREDENTIALS not in answered.headers
            assert "vary" not in answered.headers
        answered = await ask_before(service)
        assert (answered.status_code, answered.headers[ORIGIN]) == (204, "*")
        assert CREDENTIALS not in answered.headers

    run(scenario, cors_origins="*")


def test_it_is_off_unless_set() -> None:
    async def scenario(service: Service) -> None:
        for answered in (await ask_before(service, "/v2"), await service.client.get("/v2", headers={"origin": SHOP})):
            assert not [name for name in answered.headers if name.startswith("access-control") or name == "vary"]
        assert (await ask_before(service, "/v2")).status_code == 405

    run(scenario)


def test_a_rejection_unread_carries_the_headers_of_its_origin() -> None:
    def choose(setting: str, *lines: bytes) -> bytes:
        head = b"\r\n".join((b"POST /predict HTTP/1.1", b"host: a", *lines, b"content-length: 2"))
        return CrossOriginRejections(Cors(setting)).choose(head + b"\r\n\r\n{}")

    shop, unknown = b"ORIGIN: https://shop.example ", b"origin: https://evil.example"
    assert choose("", shop) == REJECTION
    assert b"\r\naccess-control-allow-origin: https://shop.example\r\n" in choose(f"{OTHER},{SHOP}", shop)
    assert b"other.example" not in choose(f"{OTHER},{SHOP}", shop)
    for lines in ((unknown,), ()):
        rejection = choose(SHOP, *lines)
        assert b"\r\nvary: origin\r\n" in rejection
        assert b"access-control" not in rejection
    assert b"\r\naccess-control-allow-origin: *\r\n" in choose("*")
    assert choose(SHOP, shop).endswith(REJECTION[REJECTION.index(b"\r\n\r\n") :])


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("https://a.example/", "'https://a.example/' has a path, which no origin has: write https://a.example"),
        ("https://a.example/shop", "'https://a.example/shop' has a path, which no origin has: write https://a.example"),
        ("https://A.example", "'https://A.example' is not an origin: expected `*`, or origins such as"),
        ("a.example", "'a.example' is not an origin: expected"),
        ("https://*.example", "'https://*.example' is not an origin: expected"),
        ("https://a.example:443", "has the port that browsers leave out: write https://a.example"),
        ("http://a.example:80", "has the port that browsers leave out: write http://a.example"),
        ("null", "'null' is what every sandboxed page sends"),
        ("*,https://a.example", "`*` is every origin: leave out the others"),
    ],
)
def test_a_wrong_setting_is_refused_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, setting: str, sentence: str
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", setting)
    with pytest.raises(InvalidSettings) as refused:
        read_settings()
    assert str(refused.value).startswith(f"CORS_ORIGINS={setting!r}: ")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_blanks_and_ports_are_put_up_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", " https://a.example , http://[::1]:5173,capacitor://localhost,https://a.example")
    assert read_settings().cors_origins == "https://a.example,http://[::1]:5173,capacitor://localhost"
