"""Whatever a URL leads to, each command says it in one sentence and exits with 2."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread

import pytest

from ekiben.commands.__main__ import main

Capture = pytest.CaptureFixture[str]
COMMANDS = ("canary", "challenger", "drift")
SETTINGS_FRAME = b"\x00\x00\x18\x04\x00\x00\x00\x00\x00\x00\x04\x00\x40\x00\x00\x00\x05\x00\x40\x00\x00"  # of HTTP/2
TOKEN = "secret-token"


@contextmanager
def listen(answer: bytes) -> Iterator[str]:
    """Give everyone who connects the same bytes; yield the URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(4):
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(65_536)

        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Start services that only send bytes; each has a URL."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(listen(answer))


def answer_json(content: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {length or len(content)}\r\nConnection: close\r\n\r\n"
    return head.encode() + content


def fail(capsys: Capture, *arguments: str) -> str:
    """Return the one sentence that a command fails with."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert TOKEN not in err
    return err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_grpc_port_is_named(command: str, answering: Callable[[bytes], str], capsys: Capture) -> None:
    url = answering(SETTINGS_FRAME)
    said = fail(capsys, command, url)
    assert url in said
    assert "gives no answer (it doesn't speak HTTP/1: is this its gRPC port?): name a service's URL" in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1:9/a b", "http://127.0.0.1:9/a b/monitoring"),
        ("http://127.0.0.1:9/\x1b[31m\n", "http://127.0.0.1:9/\\x1b[31m\\n/monitoring"),
        ("http://127.0.0.1:x", "nonnumeric port: 'x'"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_what_is_no_url_is_named(command: str, url: str, sentence: str, capsys: Capture) -> None:
    said = fail(capsys, command, url)
    assert sentence in said
    assert "name a service's URL, such as http://127.0.0.1:8080" in said


@pytest.mark.parametrize("url", ["localhost:8080", "canary", "file:///etc/hosts"])
def test_a_canary_is_asked_over_http(url: str, capsys: Capture) -> None:
    assert f"{url}/monitoring/canary is not a URL, or holds a blank" in fail(capsys, "canary", url)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "content", [b"[]", b'"x"', b"3", b"{}", b"null", b"\xff", b"[" * 200_000, b'{"canaries": {}}', b'{"canaries": [3]}',
                b'{"canaries": []}', b'{"model": "a", "status": "none", "share": 1' + b"0" * 400 + b"}"]
)  # fmt: skip
def test_json_of_another_service_is_named(
    command: str, content: bytes, answering: Callable[[bytes], str], capsys: Capture
) -> None:
    url = answering(answer_json(content))
    assert url in fail(capsys, command, url)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("content", [b"[]", b"[" * 4096, b'{"error": 3}', b'{"error": null}', b"no JSON"])
@pytest.mark.parametrize("cut", [0, 10])
def test_errors_of_another_service_are_named(
    command: str, content: bytes, cut: int, answering: Callable[[bytes], str], capsys: Capture
) -> None:
    url = answering(answer_json(content, "500 Sorry", len(content) + cut))
    assert "answers 500: it is no service of ours, or its log says why" in fail(capsys, command, url)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"])
def test_an_answer_that_breaks_off_is_named(
    command: str, answer: bytes, answering: Callable[[bytes], str], capsys: Capture
) -> None:
    url = answering(answer)
    said = fail(capsys, command, url)
    assert url in said
    assert "gives no answer (" in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}\r\n x", f"{TOKEN} x", f"{TOKEN}\u20ac"])
def test_a_token_that_no_header_carries_is_not_shown(
    command: str, token: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("AUTH_TOKEN", token)
    wanted = "AUTH_TOKEN holds a space, a line break or what is not ASCII: set AUTH_TOKEN to the service's token"
    assert fail(capsys, command, "http://127.0.0.1:9") == f"error: {wanted}\n"


@pytest.mark.parametrize("model", ["a b", "a\n", "\udcff", "a/../b"])
def test_a_model_of_any_name_is_asked_for(model: str, answering: Callable[[bytes], str], capsys: Capture) -> None:
    url = answering(answer_json(b'{"error": "there is no such model"}', "404 Not Found"))
    said = fail(capsys, "canary", url, "--model", model, "--version", "3", "--share", "10")
    assert "answers 404: there is no such model" in said
