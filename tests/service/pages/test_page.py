"""The page as a person uses it, in a real Chromium: with a token and without, in Persian, by keyboard, on a phone."""

import csv
import io
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import page_model
from tests.browser import TIMEOUT_MS, find_chromium, open_row, run_chromium
from tests.conftest import NAME, Server, serve
from tests.http_client import HTTP
from tests.page_model import AREA, EVIL, GARDEN, MARKUP, ROCKETS, SOLD

TOKEN = "a-secret-token"
MAX_PAGE_BYTES = 60_000
PHONE = {"width": 360, "height": 740}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with run_chromium(chromium) as browser:
        yield browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with a token, of a model whose names are Persian, an emoji and markup."""
    folder = tmp_path_factory.mktemp("house")
    home = page_model.store(folder / "home")
    with serve(folder, BENTOML_HOME=str(home), MODEL_NAME=page_model.NAME, AUTH_TOKEN=TOKEN) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab; a script that fails, or asks another host, fails the test."""
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    assert not errors


def see(page: Page, selector: str, text: str) -> None:
    expect(page.locator(selector)).to_contain_text(text, timeout=TIMEOUT_MS)


def field(page: Page, name: str) -> Any:
    """The field of a feature, with its label and what is said beside it."""
    return page.get_by_role("group", name=name, exact=True)


def test_the_page_answers_the_example_row_as_predict_does(page: Page, server: Server) -> None:
    open_row(page, server.url)
    model = HTTP.get(f"{server.url}/model.json").json()
    row = {feature["name"]: feature["example"] for feature in model["features"]}
    probability = HTTP.post(f"{server.url}/predict", json={"rows": [row]}).json()["predictions"][0]["probability"]
    shown = page.locator("#answer").inner_text()
    assert f"{100 * probability:.1f}%" in shown or f"{100 * probability:.0f}%" in shown
    assert page.title() == f"{NAME} 1"


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
    carrier = field(page, "carrier")
    carrier.get_by_role("combobox").fill("XYZ")
    page.keyboard.press("Enter")
    expect(carrier).to_contain_text("'XYZ' was not seen in training", timeout=TIMEOUT_MS)
    distance = field(page, "distance").get_by_role("spinbutton")
    distance.fill("3000")
    expect(page.locator("#answer")).not_to_have_text(before, timeout=TIMEOUT_MS)
    distance.fill("-5")
    expect(field(page, "distance")).to_contain_text("-5", timeout=TIMEOUT_MS)
    see(page, "#answer", "No answer")
    assert distance.get_attribute("aria-invalid") == "true"
    distance.fill("100")
    expect(distance).to_have_attribute("aria-invalid", "false", timeout=TIMEOUT_MS)


def test_what_is_tried_is_no_traffic(page: Page, server: Server) -> None:
    counted = HTTP.get(f"{server.url}/monitoring").json()
    open_row(page, server.url)
    field(page, "distance").get_by_role("spinbutton").fill("2000")
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


def test_the_address_holds_the_row(page: Page, server: Server) -> None:
    open_row(page, server.url, {"distance": 777, "temp": None, "carrier": "<b>Ü</b>", "gone": 1})
    assert field(page, "distance").get_by_role("spinbutton").input_value() == "777"
    assert field(page, "carrier").get_by_role("combobox").input_value() == "<b>Ü</b>"
    assert field(page, "temp").get_by_role("checkbox").is_checked()
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


def test_without_the_token_the_page_shows_nothing_of_the_model(page: Page, house: Server) -> None:
    page.goto(house.url)
    expect(page.get_by_label("Bearer token")).to_be_visible(timeout=TIMEOUT_MS)
    text = page.content()
    assert not any(name in text for name in (page_model.NAME, AREA, ROCKETS, MARKUP))
    for path in ("/model.json", f"/model/{page_model.NAME}.json", f"/playground/{page_model.NAME}", "/docs.json"):
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


def test_persian_emoji_and_markup_are_shown_as_they_are(page: Page, house: Server) -> None:
    open_row(page, house.url, token=TOKEN)
    for name in (AREA, ROCKETS, MARKUP):
        assert field(page, name).count() == 1
    assert page.locator(f"label:text-is('{AREA}')").evaluate("node => getComputedStyle(node).direction") == "rtl"
    kind = field(page, MARKUP).get_by_role("combobox")
    kind.click()
    field(page, MARKUP).get_by_role("option", name=EVIL).click()
    see(page, "#call code", "onerror")
    page.get_by_label("What if this feature were another").select_option(label=MARKUP)
    see(page, "#curve", EVIL)
    assert page.locator("img[onerror], #form i, #form b").count() == 0
    assert page.title() == f"{page_model.NAME} 1"


def test_every_kind_of_field_takes_null_and_a_value(page: Page, house: Server) -> None:
    open_row(page, house.url, {ROCKETS: None, MARKUP: None}, token=TOKEN)
    see(page, "#call code", f'"{ROCKETS}":null')
    field(page, ROCKETS).get_by_role("checkbox").uncheck()
    field(page, ROCKETS).get_by_role("spinbutton").fill("2.5")
    field(page, GARDEN).get_by_label("false").check()
    field(page, SOLD).get_by_role("checkbox").uncheck()
    field(page, SOLD).locator("input[type=datetime-local]").fill("2013-05-06T07:08:09")
    see(page, "#call code", '"2013-05-06T07:08:09Z"')
    see(page, "#call code", f'"{GARDEN}":false')
    see(page, "#call code", f'"{ROCKETS}":2.5')
    see(page, "#answer", "EUR")


def make_csv(rows: int) -> bytes:
    """A table with a column too many, quotes, and markup."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["note", AREA, ROCKETS, MARKUP, GARDEN, SOLD])
    for row in range(rows):
        table.writerow([f'"{row}",\nline', row, "", EVIL, "yes", "2013-05-06T07:08:09Z"])
    return text.getvalue().encode()


def drop(page: Page, name: str, content: bytes) -> None:
    page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def test_a_table_comes_back_with_its_answers(page: Page, house: Server, tmp_path: Path) -> None:
    open_row(page, house.url, token=TOKEN)
    drop(page, "houses.csv", make_csv(150))
    see(page, "#table [role=status]", "150 rows of houses.csv were answered")
    see(page, "#table [role=status]", "not used: note")
    assert page.locator("#table tbody tr").count() == 100
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download with the answers").click()
    saved = tmp_path / "saved.csv"
    downloading.value.save_as(saved)
    assert downloading.value.suggested_filename == "houses-answered.csv"
    rows = list(csv.DictReader(io.StringIO(saved.read_bytes().decode("utf-8-sig"), newline="")))
    asked = HTTP.post(
        f"{house.url}/predict",
        json={"rows": [{AREA: 149, ROCKETS: None, MARKUP: EVIL, GARDEN: True, SOLD: "2013-05-06T07:08:09Z"}]},
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert len(rows) == 150
    assert rows[149]["note"] == '"149",\nline'
    assert float(rows[149]["value"]) == pytest.approx(asked.json()["predictions"][0]["value"])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a,b\n1,2\n", "The first line names none of the model's features"),
        (f"{AREA},{ROCKETS}\n1,2\n".encode(), "The table lacks the columns"),
        (make_csv(2).replace(b",yes,", b",perhaps,", 1), f"Line 2: {GARDEN}: "),
        (make_csv(1) + b"1,2\n", "Line 4 has 2 cells, the first line 6."),
        (make_csv(1) + b'"open,1', "Line 4: a quote is not closed."),
        (make_csv(1) + b"\xff\xfe", "is not UTF-8"),
        (b"", "bad.csv has no rows."),
    ],
)  # fmt: skip
def test_a_bad_table_gets_one_sentence(page: Page, house: Server, content: bytes, sentence: str) -> None:
    open_row(page, house.url, token=TOKEN)
    drop(page, "bad.csv", content)
    see(page, "#table [role=status]", sentence)
    assert page.locator("#table tbody tr").count() == 0


def test_a_huge_table_is_not_read(page: Page, house: Server, tmp_path: Path) -> None:
    open_row(page, house.url, token=TOKEN)
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(100_000_000)
    page.locator("#file").set_input_files(huge)
    see(page, "#table [role=status]", "huge.csv has 100 MB, and this page takes 10")


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
    carrier = field(page, "carrier").get_by_role("combobox")
    carrier.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    chosen = page.locator(f"#{carrier.get_attribute('aria-activedescendant')} span").first.inner_text()
    page.keyboard.press("Enter")
    assert carrier.input_value() == chosen
    assert carrier.get_attribute("aria-expanded") == "false"
    slider = field(page, "distance").get_by_role("slider")
    before = slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.input_value() != before
    assert field(page, "distance").get_by_role("spinbutton").input_value() == slider.input_value()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, house: Server, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    page.goto(house.url)
    expect(page.get_by_label("Bearer token")).to_be_visible(timeout=TIMEOUT_MS)
    page.evaluate(axe)
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    open_row(page, house.url, token=TOKEN)
    drop(page, "houses.csv", make_csv(3))
    see(page, "#table [role=status]", "3 rows")
    page.evaluate(axe)
    found += page.evaluate("axe.run().then(({violations}) => violations)")
    assert [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found] == []
    context.close()
