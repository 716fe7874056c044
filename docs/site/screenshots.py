"""`make screenshots`: takes the pictures of docs/images from the running product, with the packed model of the flights.

It trains one if the BentoML store has none. With CHALLENGER=challenger, or a version, the comparison is drawn too.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.contract.errors import UserError
from ekiben.model.store import find_model
from ekiben.training.problem import BUILT_IN, read_problem

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).resolve().parents[1] / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SHOTS = {"page": "/", "api": "/docs.html", "monitoring": "/monitoring/page"}
CARD = "card.html"  # in the package
COMPARISON = "/monitoring/challenger/page"
WIDTH, HEIGHT = 1200, 900
SETTLED_MS = 3000  # what a page draws by itself
START_TIMEOUT_S = 120
ROUNDS = 40  # of the golden rows: two pages of monitoring compare them with training's


class NoPicture(UserError):
    """The pictures can't be taken."""


def take_all() -> None:
    """Serve the flights, ask as callers do, and write a picture of each page."""
    name = read_problem(BUILT_IN).name
    subprocess.run([sys.executable, "-m", "ekiben.commands", "train", "--if-missing"], check=True)
    package = Path(find_model(name).path)
    shots = SHOTS | ({"challenger": COMPARISON} if os.environ.get("CHALLENGER") else {})
    with serve(name) as url, open_browser() as browser:
        ask(url, package)
        for picture, path in shots.items():
            take(browser, url + path, IMAGES / f"{picture}.png")
        if (package / CARD).exists():  # models that were packed before have none
            take(browser, (package / CARD).as_uri(), IMAGES / "card.png")


@contextmanager
def serve(name: str) -> Iterator[str]:
    """Serve a model on free ports, and yield the URL once it is ready."""
    port, grpc_port = find_port(), find_port()
    command = [sys.executable, "-m", "ekiben.commands", "serve", "--model", name, "--port", str(port)]
    process = subprocess.Popen(command, env=os.environ | {"GRPC_PORT": str(grpc_port), "DRAIN_DELAY_S": "0"})
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/readyz", process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return once the service is ready; raise NoPicture if it ends or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise NoPicture("the service is not ready: its log above says why")


def ask(url: str, package: Path) -> None:
    """Ask for the golden rows again and again, so that there is something to monitor."""
    rows = json.loads((package / "golden.json").read_bytes())["rows"]
    body = json.dumps({"rows": rows}).encode()
    for _ in range(ROUNDS):
        request = urllib.request.Request(f"{url}/predict", body, {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=60).close()


@contextmanager
def open_browser() -> Iterator["Browser"]:
    """Start Chromium; raise NoPicture where there is none."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise NoPicture(f"none of {', '.join(BROWSERS)} is installed: install Chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def take(browser: "Browser", url: str, file: Path) -> None:
    """Write a picture of the first screen of a page."""
    page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    page.goto(url)
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=file)
    page.close()
    print(f"{file.relative_to(IMAGES.parents[1])}: {file.stat().st_size:,} bytes")


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    try:
        take_all()
    except UserError as error:
        sys.exit(f"error: {error}")
