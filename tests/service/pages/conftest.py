"""One browser, and one service whose model's names are hard to show, for all tests of the page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests import page_model
from tests.browser import TIMEOUT_MS, find_chromium, run_chromium
from tests.conftest import Server, serve


@pytest.fixture(scope="module")  # while it runs, no other test of its process can have an event loop
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with run_chromium(chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with a token, of a model whose names are Persian, an emoji and markup."""
    folder = tmp_path_factory.mktemp("house")
    home = page_model.store(folder / "home")
    settings = {"MODEL_NAME": page_model.NAME, "AUTH_TOKEN": page_model.TOKEN}
    with serve(folder, BENTOML_HOME=str(home), **settings) as running:
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
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    assert not errors
