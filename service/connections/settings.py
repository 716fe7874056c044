"""What a deployment sets of connections: where callers come in, and how much each may bring."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from ekiben.service.host_address import check_address
from ekiben.service.http.origins import check_origins
from ekiben.service.secrets.settings import SecretSettings


class ConnectionSettings(SecretSettings):
    """The settings of ports, connections and what is sent over them."""

    host: Annotated[str, AfterValidator(check_address)] = Field(
        "0.0.0.0", description="IP address that both ports listen on; `::` is every address, also IPv4"
    )
    port: int = Field(8080, ge=1, le=65535, description="HTTP port; the platforms' own variables are listed below")
    grpc_port: int = Field(9000, ge=1, le=65535, description="gRPC port")
    grpc_on_main_port: bool = Field(
        False,
        description="1: serve gRPC on the HTTP port too, for platforms that expose only one port; only "
        "`GRPC_SERVER=grpcio` needs it",
    )
    grpc_server: Literal["native", "grpcio"] = Field(
        "native",
        description="what serves gRPC: `native` is the service's own HTTP/2, at a third of the cost; `grpcio` is "
        "Google's library, if `ekiben[grpcio]` is installed",
    )
    max_body_bytes: int = Field(8 * 2**20, ge=1, description="maximum size of a request body or gRPC message, bytes")
    max_head_bytes: int = Field(
        32_768, ge=1024, description="maximum size of a request's first line and headers, bytes; larger ones get 431"
    )
    max_connections: int = Field(
        8192, ge=1, description="maximum HTTP connections per worker; beyond it the longest idle one is closed"
    )
    grpc_connection_age_s: float = Field(
        300.0,
        ge=0.1,
        description="age at which clients over HTTP/2, gRPC's too, are asked to reconnect, so that they find new "
        "replicas, seconds",
    )
    cors_origins: Annotated[str, AfterValidator(check_origins)] = Field(
        "", description="origins whose pages may call, `https://a.example,https://b.example`, or `*` for all"
    )

    @model_validator(mode="after")
    def check_ports(self) -> Self:
        """Reject gRPC on a port where TLS is spoken: what tells the two apart is not seen."""
        if self.tls and self.grpc_on_main_port and self.grpc_server == "grpcio":
            raise ValueError("GRPC_ON_MAIN_PORT can't be used with TLS_CERT_FILE: let the platform end TLS")
        return self
