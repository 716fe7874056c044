"""What a service is asked, so that its series have something to count."""

from ekiben.model.package import PackedModel
from tests.conftest import Server
from tests.http_client import HTTP


def ask(server: Server, model: PackedModel) -> None:
    """Have one request answered and one rejected, as it can't be answered in a nanosecond."""
    body = {"rows": [model.schema.example]}
    assert HTTP.post(f"{server.url}/predict", json=body).status_code == 200
    assert HTTP.post(f"{server.url}/predict", json=body, headers={"X-Request-Timeout-Ms": "1e-6"}).status_code != 200
