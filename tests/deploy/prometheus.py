"""A real Prometheus, started beside what it watches."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.conftest import PATIENCE_S, free_port, wait_until
from tests.http_client import HTTP

PROMETHEUS = shutil.which("prometheus")
OFTEN = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}


@contextmanager
def watch(folder: Path, config: Mapping[str, Any]) -> Iterator[str]:
    """Run Prometheus with this configuration, looking every second, and yield its address."""
    (folder / "prometheus.yml").write_text(yaml.safe_dump({**config, "global": OFTEN}))
    address = f"127.0.0.1:{free_port()}"
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(PROMETHEUS), *options, f"--web.listen-address={address}"], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: is_ready(f"http://{address}"), (folder / "log").read_text)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)


def is_ready(url: str) -> bool:
    try:
        return HTTP.get(f"{url}/-/ready").status_code == 200
    except httpx.TransportError:
        return False


def query(prometheus: str, expression: str) -> list[Any]:
    """Return the expression's result now."""
    answered = HTTP.get(f"{prometheus}/api/v1/query", params={"query": expression}).json()
    assert answered["status"] == "success", answered
    result: list[Any] = answered["data"]["result"]
    return result
