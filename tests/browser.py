"""The browser that opens pages in tests: Debian's Chromium, driven by Playwright."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from ekiben.docs.site.screenshots import BROWSERS

TIMEOUT_MS = 20_000  # of a step, on a busy machine


def find_chromium() -> str | None:
    """Return the path of the browser, None if there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def run_chromium(path: str) -> Iterator[Browser]:
    """Run the browser at this path; it asks nobody but the pages that are opened."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def open_row(page: Page, url: str, row: Mapping[str, Any] | None = None, token: str = "") -> None:
    """Open the page of a service at a row, which differs by so much from the example, and wait for all it shows."""
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(f"{url}/" + (f"#row={quote(json.dumps(row))}" if row else ""))
    if token:
        page.get_by_label("Bearer token").fill(token)
        page.keyboard.press("Enter")
    for part in ("answer", "why", "curve", "drift"):
        page.locator(f"#{part} > *").first.wait_for()


def see(page: Page, selector: str, text: str) -> None:
    """Wait until an element holds a text."""
    expect(page.locator(selector)).to_contain_text(text, timeout=TIMEOUT_MS)


def find_field(page: Page, name: str) -> Locator:
    """Return the field of a feature, with its label and what is said beside it."""
    return page.get_by_role("group", name=name, exact=True)


def drop_table(page: Page, name: str, content: bytes) -> None:
    """Give the page a CSV file."""
    page.locator("#file").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
