"""What is tried on the page is no traffic; and that is no way for others to pass by the monitoring."""

import pytest
from playwright.sync_api import Page

from tests.browser import find_field, open_row, see
from tests.conftest import NAME, Server
from tests.http_client import HTTP

pytestmark = pytest.mark.slow


def test_what_is_tried_is_no_traffic(page: Page, server: Server) -> None:
    counted = HTTP.get(f"{server.url}/monitoring").json()
    open_row(page, server.url)
    find_field(page, "distance").get_by_role("spinbutton").fill("2000")
    see(page, "#call", "2000")
    see(page, "#curve", "highest")
    model = HTTP.get(f"{server.url}/model.json").json()
    row = {feature["name"]: feature["example"] for feature in model["features"]}
    tried = HTTP.post(f"{server.url}/playground/{NAME}", json={"rows": [row]})
    assert tried.status_code == 200
    assert "x-prediction-id" not in tried.headers
    after = HTTP.get(f"{server.url}/monitoring").json()
    assert [window["rows"] for window in after["windows"]] == [window["rows"] for window in counted["windows"]]


def test_the_playground_is_no_way_around_monitoring_for_many_rows(server: Server) -> None:
    answer = HTTP.post(f"{server.url}/playground/{NAME}", json={"rows": [{}] * 65})
    assert (answer.status_code, answer.json()["error"]) == (
        413, "more than 64 rows: the playground is for trying, send them to /predict"
    )  # fmt: skip
    assert HTTP.post(f"{server.url}/playground/other", json={"rows": [{}]}).status_code == 404
    assert (
        HTTP.post(f"{server.url}/playground/{NAME}", content=b"x", headers={"content-type": "a/b"}).status_code == 415
    )
