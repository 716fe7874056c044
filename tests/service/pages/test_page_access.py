"""Who reaches the page: with the token alone, by keyboard, on a phone, by screen reader as far as axe-core can tell."""

from importlib.resources import files
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import TIMEOUT_MS, drop_table, find_field, open_row, see
from tests.conftest import Server
from tests.http_client import HTTP
from tests.page_model import AREA, MARKUP, ROCKETS, TOKEN, write_table
from tests.page_model import NAME as HOUSE

PHONE = {"width": 360, "height": 740}
pytestmark = pytest.mark.slow


def test_without_the_token_the_page_shows_nothing_of_the_model(page: Page, house: Server) -> None:
    page.goto(house.url)
    expect(page.get_by_label("Bearer token")).to_be_visible(timeout=TIMEOUT_MS)
    text = page.content()
    assert not any(name in text for name in (HOUSE, AREA, ROCKETS, MARKUP))
    for path in ("/model.json", f"/model/{HOUSE}.json", f"/playground/{HOUSE}", "/docs.json"):
        assert HTTP.get(house.url + path).status_code == 401
    page.get_by_label("Bearer token").fill("wrong")
    page.keyboard.press("Enter")
    see(page, "#gate-said", "does not accept this token")
    page.get_by_label("Bearer token").fill(TOKEN)
    page.keyboard.press("Enter")
    see(page, "#answer", "EUR")
    assert TOKEN not in page.content() + page.url
    assert page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])") == '[{},{},""]'
    assert "$AUTH_TOKEN" in page.locator("#call code").inner_text()
    page.reload()
    expect(page.get_by_label("Bearer token")).to_be_visible(timeout=TIMEOUT_MS)


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, house: Server) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme="dark", has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    open_row(page, house.url, token=TOKEN)
    see(page, "#curve", "highest")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    context.close()


def test_the_keyboard_alone_reaches_and_changes_everything(page: Page, server: Server) -> None:
    open_row(page, server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    reached: set[str] = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert {"share", "reset", "field-0", "field-1", "curve-feature", "file", "call-curl"} <= reached
    carrier = find_field(page, "carrier").get_by_role("combobox")
    carrier.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    chosen = page.locator(f"#{carrier.get_attribute('aria-activedescendant')} span").first.inner_text()
    page.keyboard.press("Enter")
    assert carrier.input_value() == chosen
    assert carrier.get_attribute("aria-expanded") == "false"
    slider = find_field(page, "distance").get_by_role("slider")
    before = slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.input_value() != before
    assert find_field(page, "distance").get_by_role("spinbutton").input_value() == slider.input_value()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, house: Server, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    axe = files(axe_playwright_python).joinpath("axe.min.js").read_text(encoding="utf-8")
    page.goto(house.url)
    expect(page.get_by_label("Bearer token")).to_be_visible(timeout=TIMEOUT_MS)
    page.evaluate(axe)
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    open_row(page, house.url, token=TOKEN)
    drop_table(page, "houses.csv", write_table(3))
    see(page, "#table [role=status]", "3 rows")
    page.evaluate(axe)
    found += page.evaluate("axe.run().then(({violations}) => violations)")
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found] == []
    context.close()
