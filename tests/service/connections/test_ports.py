"""Where the service listens: HOST, the command line, IPv6, and what a port that can't be had is called."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ekiben.model.package import PackedModel
from ekiben.service.connections.ports import Chosen, Ports, check_port
from ekiben.service.environment import read_settings
from ekiben.service.lifecycle.healthcheck import check_readiness
from ekiben.service.settings import InvalidSettings
from tests.conftest import PATIENCE_S, ROOT, free_port, run, wait_until

ADDRESSES = ("127.0.0.1", "127.0.0.2", "::1")  # the second is only reached where every IPv4 address is


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@contextmanager
def serving(folder: Path, *options: str, **environment: str) -> Iterator[dict[str, str]]:
    """Serve until the health check finds the service; give the environment that it was asked in."""
    ports = {"PORT": str(free_port()), "GRPC_PORT": str(free_port())}
    command = [sys.executable, "-m", "bentoml", "serve", *options]
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | ports | {"DRAIN_DELAY_S": "0"} | environment,
            stdout=output,
            stderr=output,
        )
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (ports | environment).items():
                patch.setenv(name, value)
            patch.setenv("http_proxy", "http://127.0.0.1:9")  # a proxy doesn't lead to this address
            wait_until(lambda: check_readiness(os.environ) is None, log.read_text)
        yield ports
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def reached(port: str) -> set[str]:
    """Return the addresses on which somebody listens."""
    found = set()
    for address in ADDRESSES:
        with closing(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)) as client:
            if client.connect_ex((address, int(port))) == 0:
                found.add(address)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "environment", "addresses"),
    [
        pytest.param([], {"HOST": "::"}, set(ADDRESSES), marks=needs_ipv6),
        pytest.param(["--host", "::1"], {"HOST": "127.0.0.1"}, {"::1"}, marks=needs_ipv6),
        ([], {"BENTOML_HOST": "127.0.0.1", "HOST": "::"}, {"127.0.0.1"}),
    ],
)
def test_both_ports_are_on_the_address_that_was_asked_for(
    model: PackedModel, tmp_path: Path, options: list[str], environment: dict[str, str], addresses: set[str]
) -> None:
    if options:
        environment = environment | {"HOST": options[1]}  # the health check can't see another process's options
    with serving(tmp_path, *options, **environment) as ports:
        assert reached(ports["PORT"]) == addresses
        assert reached(ports["GRPC_PORT"]) == addresses


def test_the_default_is_every_ipv4_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOST", raising=False)
    assert read_settings().host == "0.0.0.0"


@pytest.mark.parametrize("host", ["localhost", "[::]", "10.0.0.1:8080", "10.0.0", "*", " "])
def test_what_is_not_an_address_is_rejected(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HOST", host)
    with pytest.raises(InvalidSettings) as rejected:
        read_settings()
    assert str(rejected.value).startswith(f"HOST={host!r}: not an IP address: give an address of this machine")


def sentence(host: Chosen, port: Chosen) -> str:
    with pytest.raises(InvalidSettings) as rejected:
        check_port(host, port)
    return str(rejected.value)


PORT = Chosen(8080, "PORT=")


def test_an_address_of_another_machine_is_named() -> None:
    reason = sentence(Chosen("192.0.2.1", "BENTOML_HOST="), Chosen(free_port(), "PORT="))
    assert reason.startswith("BENTOML_HOST=192.0.2.1 can't be listened on (Cannot assign requested address): give an")


@pytest.mark.parametrize("host", ["localhost", ""])
def test_a_name_on_the_command_line_is_rejected(host: str) -> None:
    assert sentence(Chosen(host, "--host "), PORT).startswith(f"--host {host} is not an IP address: give an address")


@pytest.mark.parametrize(
    ("family", "taken", "host"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", "0.0.0.0"),
        pytest.param(socket.AF_INET, "0.0.0.0", "::", marks=needs_ipv6),
        pytest.param(socket.AF_INET6, "::1", "::1", marks=needs_ipv6),
        pytest.param(socket.AF_INET6, "::", "0.0.0.0", marks=needs_ipv6),
    ],
)
def test_a_taken_port_is_named_by_its_own_variable(family: int, taken: str, host: str) -> None:
    with socket.socket(family) as other:
        other.bind((taken, 0))
        other.listen()
        port = other.getsockname()[1]
        reason = sentence(Chosen(host, "HOST="), Chosen(port, "--port "))
    assert reason == f"port {port} can't be used (Address already in use): choose another with --port …"


def test_a_free_port_is_good() -> None:
    check_port(Chosen("127.0.0.1", "HOST="), Chosen(free_port(), "PORT="))


def test_a_port_beyond_all_ports_is_rejected() -> None:
    assert (
        sentence(Chosen("127.0.0.1", "HOST="), Chosen(65536, "--port "))
        == "--port 65536: a port is a number up to 65535"
    )


def test_http_and_grpc_need_two_ports() -> None:
    with pytest.raises(InvalidSettings, match="HTTP and gRPC can't both have port 8080"):
        Ports(Chosen("127.0.0.1", "HOST="), PORT, Chosen(8080, "GRPC_PORT=")).check()


@pytest.mark.slow
def test_the_command_line_is_named(model: PackedModel) -> None:
    rejected = run("-m", "bentoml", "serve", "--host", "localhost", PORT=str(free_port()), fails=True)
    assert "--host localhost is not an IP address" in rejected.stderr
    assert "Traceback" not in rejected.stderr


IPV4_ONLY = """
set -e
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
"$0" -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))'  # the loopback interface is up
"$0" -m bentoml serve & served=$!
while kill -0 $served; do
    if "$0" -m ekiben.service healthcheck; then kill $served; wait $served; exit 0; fi
done
exit 1
"""


def can_unshare() -> bool:
    return subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(
    not can_unshare(), reason="a network without IPv6 can't be made here: unshare --net is not permitted"
)
def test_a_machine_without_ipv6_serves(model: PackedModel) -> None:
    command = ["unshare", "--net", "sh", "-c", IPV4_ONLY, sys.executable]
    environment = os.environ | {"DRAIN_DELAY_S": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_setting_keeps_the_health_check_from_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "localhost")
    assert (check_readiness({}) or "").startswith("HOST='localhost'")


def test_the_health_check_names_where_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOST", raising=False)
    port = str(free_port())
    assert (check_readiness({"BENTOML_PORT": port, "BENTOML_HOST": "127.0.0.1"}) or "").startswith(
        f"not ready: http://127.0.0.1:{port}/readyz does not answer"
    )
