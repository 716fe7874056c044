"""The page as a person uses it, in a real Chromium: every kind of field, links, calls to copy, names hard to show."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import TIMEOUT_MS, find_field, open_row, see
from tests.conftest import NAME, Server
from tests.http_client import HTTP
from tests.page_model import AREA, EVIL, GARDEN, MARKUP, ROCKETS, SOLD, TOKEN
from tests.page_model import NAME as HOUSE

MAX_PAGE_BYTES = 60_000
pytestmark = pytest.mark.slow


def test_the_page_answers_the_example_row_as_predict_does(page: Page, server: Server) -> None:
    open_row(page, server.url)
    model = HTTP.get(f"{server.url}/model.json").json()
    row = {feature["name"]: feature["example"] for feature in model["features"]}
    probability = HTTP.post(f"{server.url}/predict", json={"rows": [row]}).json()["predictions"][0]["probability"]
    shown = page.locator("#answer").inner_text()
    assert f"{100 * probability:.1f}%" in shown or f"{100 * probability:.0f}%" in shown
    assert page.title() == f"{NAME} 1"
    see(page, "#why", "in log-odds of true;")  # which class is explained


def test_all_files_together_are_small_and_ours(page: Page, server: Server) -> None:
    sizes: dict[str, int] = {}
    page.on("response", lambda answer: sizes.update({answer.url: int(answer.headers["content-length"])}))
    page.goto(server.url)
    see(page, "#answer", "late")
    assert all(url.startswith(server.url) for url in sizes)
    files = {url: size for url, size in sizes.items() if "/page/" in url or url == f"{server.url}/"}
    assert len(files) > 10
    assert sum(files.values()) < MAX_PAGE_BYTES


def test_a_change_asks_again_and_an_unfit_value_is_said_beside_its_field(page: Page, server: Server) -> None:
    open_row(page, server.url)
    before = page.locator("#answer").inner_text()
    carrier = find_field(page, "carrier")
    carrier.get_by_role("combobox").fill("XYZ")
    page.keyboard.press("Enter")
    expect(carrier).to_contain_text("'XYZ' was not seen in training", timeout=TIMEOUT_MS)
    distance = find_field(page, "distance").get_by_role("spinbutton")
    distance.fill("3000")
    expect(page.locator("#answer")).not_to_have_text(before, timeout=TIMEOUT_MS)
    distance.fill("-5")
    expect(find_field(page, "distance")).to_contain_text("-5", timeout=TIMEOUT_MS)
    see(page, "#answer", "No answer")
    assert distance.get_attribute("aria-invalid") == "true"
    distance.fill("100")
    expect(distance).to_have_attribute("aria-invalid", "false", timeout=TIMEOUT_MS)


def test_the_address_holds_the_row(page: Page, server: Server) -> None:
    open_row(page, server.url, {"distance": 777, "temp": None, "carrier": "<b>Ü</b>", "gone": 1})
    assert find_field(page, "distance").get_by_role("spinbutton").input_value() == "777"
    assert find_field(page, "carrier").get_by_role("combobox").input_value() == "<b>Ü</b>"
    assert find_field(page, "temp").get_by_role("checkbox").is_checked()
    see(page, "#row-said", "gone")
    page.get_by_role("button", name="Example row").click()
    expect(page).to_have_url(f"{server.url}/", timeout=TIMEOUT_MS)
    page.goto(f"{server.url}/#row=%7Bbroken")
    see(page, "#row-said", "can't be read")


def test_calls_to_copy_are_the_present_row(page: Page, server: Server) -> None:
    open_row(page, server.url, {"distance": 777, "temp": None, "carrier": "O'Hare"})
    see(page, "#call code", "777")
    assert """"carrier":"O'\\''Hare\"""" in page.locator("#call code").inner_text()
    page.get_by_role("tab", name="curl").focus()
    page.keyboard.press("ArrowRight")
    python = page.locator("#call code").inner_text()
    assert '"temp": None' in python
    compile(python, "copied", "exec")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert "ModelInfer" in page.locator("#call code").inner_text()
    assert '"NaN"' in page.locator("#call code").inner_text()


def test_persian_emoji_and_markup_are_shown_as_they_are(page: Page, house: Server) -> None:
    open_row(page, house.url, token=TOKEN)
    for name in (AREA, ROCKETS, MARKUP):
        assert find_field(page, name).count() == 1
    assert page.locator(f"label:text-is('{AREA}')").evaluate("node => getComputedStyle(node).direction") == "rtl"
    kind = find_field(page, MARKUP).get_by_role("combobox")
    kind.click()
    find_field(page, MARKUP).get_by_role("option", name=EVIL).click()
    see(page, "#call code", "onerror")
    page.get_by_label("What if this feature were another").select_option(label=MARKUP)
    see(page, "#curve", EVIL)
    assert page.locator("img[onerror], #form i, #form b").count() == 0
    assert page.title() == f"{HOUSE} 1"


def test_every_kind_of_field_takes_null_and_a_value(page: Page, house: Server) -> None:
    open_row(page, house.url, {ROCKETS: None, MARKUP: None}, token=TOKEN)
    see(page, "#call code", f'"{ROCKETS}":null')
    find_field(page, ROCKETS).get_by_role("checkbox").uncheck()
    find_field(page, ROCKETS).get_by_role("spinbutton").fill("2.5")
    find_field(page, GARDEN).get_by_label("false").check()
    find_field(page, SOLD).get_by_role("checkbox").uncheck()
    find_field(page, SOLD).locator("input[type=datetime-local]").fill("2013-05-06T07:08:09")
    see(page, "#call code", '"2013-05-06T07:08:09Z"')
    see(page, "#call code", f'"{GARDEN}":false')
    see(page, "#call code", f'"{ROCKETS}":2.5')
    see(page, "#answer", "EUR")
