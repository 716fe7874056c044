"""The API reference as a person uses it, in a browser: the token, and every call that it can try."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import find_chromium, run_chromium
from tests.conftest import NAME, Server
from tests.service.openapi.conftest import TOKEN

pytestmark = pytest.mark.slow
PATIENCE_MS = 60_000
EVERY_CALL = os.environ.get("EKIBEN_OPENAPI") == "1"


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with run_chromium(chromium) as browser:
        opened = browser.new_page()
        opened.set_default_timeout(PATIENCE_MS)
        yield opened


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Show the API").click()


def execute(operation: Locator) -> str:
    """Open an operation, press Execute, and close it; return the status of the answer."""
    operation.locator(".opblock-summary-control").click()
    operation.locator("button.execute").click()
    status = operation.locator(".live-responses-table .response .response-col_status").first
    status.wait_for()
    text = (status.text_content() or "").strip()
    operation.locator(".opblock-summary-control").click()
    return text


def test_a_model_has_a_page_of_its_own(page: Page, documented: Server) -> None:
    page.goto(f"{documented.url}/docs/price.html")
    sign_in(page, TOKEN)
    operation = page.locator(".opblock", has_text="/predict/{model}").first
    assert execute(operation) == "200"
    expect(page).to_have_title("price 1: API reference")


@pytest.mark.usefixtures("loads_again")
def test_the_calls_that_it_can_try_are_answered_with_200(page: Page, documented: Server) -> None:
    """Those of each group's first operation, or all: a click at a time they take minutes (test_calls sends each)."""
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{documented.url}/docs.html")
    assert NAME not in page.content()
    sign_in(page, "wrong")
    expect(page.get_by_role("status")).to_have_text("The service does not know this token.")
    sign_in(page, TOKEN)
    operations = page.locator(".opblock")
    operations.first.wait_for()
    expect(page).to_have_title(f"{NAME} 1: API reference")
    assert operations.count() > 70
    groups = page.locator(".opblock-tag-section").all()
    assert len(groups) > 10
    listed = [one for group in groups for one in group.locator(".opblock").all()[: None if EVERY_CALL else 1]]
    statuses = {operation.get_attribute("id"): execute(operation) for operation in listed}
    assert {name: status for name, status in statuses.items() if status != "200"} == {}
    assert wrong == []
    assert {url for url in asked if not url.startswith((documented.url, "data:", "blob:"))} == set()
    page.get_by_role("link", name="Ekiben").click()
    assert page.url == f"{documented.url}/"
