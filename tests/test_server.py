"""The running service, as its callers see it."""

import httpx
import pytest

from tests.conftest import Server

pytestmark = pytest.mark.slow


def test_it_answers(server: Server) -> None:
    assert httpx.get(f"{server.url}/readyz").status_code == 200
