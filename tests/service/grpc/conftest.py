"""Every test of gRPC runs against both servers."""

from collections.abc import Iterator

import pytest

from tests.conftest import Server
from tests.grpc_server import KIND, KINDS


@pytest.fixture(autouse=True, params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which server a test in this process opens."""
    token = KIND.set(request.param)
    yield request.param
    KIND.reset(token)


@pytest.fixture
def server(grpc_service: Server) -> Server:
    """A whole service, once with either."""
    return grpc_service
