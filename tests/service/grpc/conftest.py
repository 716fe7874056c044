"""Every test of gRPC runs against both servers."""

from collections.abc import Iterator

import pytest

from tests.conftest import Server
from tests.grpc_server import KIND, KINDS

WHOLE = {"server", "service", "opened", "model"}  # fixtures of tests that start a service of their own


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that opens a server in this process once with either."""
    if metafunc.module.__name__.endswith(("test_wire", "test_stops")):  # which are about our own
        return
    if not WHOLE & set(metafunc.fixturenames):
        metafunc.fixturenames.append("kind")
        metafunc.parametrize("kind", KINDS, indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Which server a test in this process opens."""
    token = KIND.set(request.param)
    yield request.param
    KIND.reset(token)


@pytest.fixture
def server(grpc_service: Server) -> Server:
    """A whole service, once with either."""
    return grpc_service
