"""A service whose tokens, certificate and callers' authority are replaced while it serves, on both ports."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from ekiben.model.package import PackedModel
from tests.certificates import Pair, write_pair
from tests.conftest import ALONE, PATIENCE_S, SUPERVISED, Server, run, serve, wait_until

pytestmark = pytest.mark.slow
METHOD = "/inference.GRPCInferenceService/ServerMetadata"


@dataclass
class Mutual:
    """A service that asks for a token and a client's certificate, and its files."""

    server: Server
    served: Pair
    known: Pair  # of a client, which is its own authority
    authorities: Path
    tokens: Path
    settings: dict[str, str]

    def get(self, path: str, client: Pair | None, token: str) -> int:
        """Return the status that a client gets, 0 if there is no connection."""
        context = ssl.create_default_context(cafile=str(self.served.certificate))
        if client:
            context.load_cert_chain(client.certificate, client.key)
        try:
            with httpx.Client(verify=context) as http:
                headers = {"authorization": f"Bearer {token}"} if token else {}
                return http.get(f"{self.server.url}{path}", headers=headers).status_code
        except httpx.TransportError:
            return 0

    def call(self, client: Pair | None, token: str) -> grpc.StatusCode:
        """Return the code that a client gets over gRPC."""
        own: Any = (client.key.read_bytes(), client.certificate.read_bytes()) if client else ()
        credentials = grpc.ssl_channel_credentials(self.served.certificate.read_bytes(), *own)
        with grpc.secure_channel(self.server.grpc, credentials) as channel:
            try:
                metadata = [("authorization", f"Bearer {token}")]
                channel.unary_unary(METHOD)(b"", timeout=PATIENCE_S, metadata=metadata)
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                return code
        return grpc.StatusCode.OK


@pytest.fixture(scope="module", params=[SUPERVISED, ALONE], ids=["supervised", "alone"])
def mutual(
    request: pytest.FixtureRequest, model: PackedModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mutual]:
    folder = tmp_path_factory.mktemp("mutual")
    served, known = write_pair(folder / "served"), write_pair(folder / "known")
    authorities, tokens = folder / "ca.crt", folder / "token"
    authorities.write_bytes(known.certificate.read_bytes())
    tokens.write_text("old")
    settings = {
        "AUTH_TOKEN_FILE": str(tokens),
        "TLS_CERT_FILE": str(served.certificate),
        "TLS_KEY_FILE": str(served.key),
        "TLS_CLIENT_CA_FILE": str(authorities),
    }
    with serve(folder, request.param, **settings) as server:
        yield Mutual(server, served, known, authorities, tokens, settings)


def test_callers_need_a_certificate_and_probes_none(mutual: Mutual, tmp_path: Path) -> None:
    stranger = write_pair(tmp_path / "stranger")
    for path in ("/livez", "/readyz", "/ping", "/v2/health/ready"):
        assert mutual.get(path, None, "") == 200
        assert mutual.get(path, stranger, "") == 0
    for path in ("/v2", "/metrics", "/predict", "/nowhere"):
        assert mutual.get(path, None, "old") == 403
    assert [mutual.get("/v2", mutual.known, token) for token in ("old", "wrong")] == [200, 401]
    codes = [mutual.call(client, "old") for client in (mutual.known, None, stranger)]
    # Who shows none hears why, as over HTTP; grpcio's server ends the connection.
    assert codes == [grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE]
    assert mutual.call(mutual.known, "wrong") is grpc.StatusCode.UNAUTHENTICATED


def test_the_health_check_needs_neither_certificate_nor_token(mutual: Mutual) -> None:
    port, grpc_port = (address.rpartition(":")[2] for address in (mutual.server.url, mutual.server.grpc))
    settings = mutual.settings | {"PORT": port, "GRPC_PORT": grpc_port}
    run("-m", "ekiben.service", "healthcheck", **settings)
    missing = mutual.tokens.with_name("gone")
    run("-m", "ekiben.service", "healthcheck", **settings | {"AUTH_TOKEN_FILE": str(missing)})


def test_all_of_it_is_renewed(mutual: Mutual, tmp_path: Path) -> None:
    mutual.tokens.write_text("old\nnew\n")
    wait_until(lambda: mutual.get("/v2", mutual.known, "new") == 200)
    assert mutual.get("/v2", mutual.known, "old") == 200  # nobody was refused
    mutual.tokens.write_text("new\n")
    wait_until(lambda: mutual.get("/v2", mutual.known, "old") == 401)
    assert mutual.call(mutual.known, "old") is grpc.StatusCode.UNAUTHENTICATED
    mutual.tokens.write_text("")
    write_pair(mutual.served.certificate.parent)
    newcomer = write_pair(tmp_path / "newcomer")
    mutual.authorities.write_bytes(newcomer.certificate.read_bytes())
    wait_until(lambda: mutual.get("/v2", newcomer, "new") == 200)
    assert mutual.get("/v2", mutual.known, "new") == 0
    assert mutual.call(newcomer, "new") is grpc.StatusCode.OK
    assert mutual.call(mutual.known, "new") is grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: "holds no token" in mutual.server.log.read_text())
    assert [mutual.get("/v2", newcomer, token) for token in ("new", "", "old")] == [200, 401, 401]
    log = mutual.server.log.read_text()
    assert log.count("TLS: certificate of commonName=localhost, expires ") == 2
    assert "Traceback" not in log
