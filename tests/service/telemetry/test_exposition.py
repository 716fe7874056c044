"""/metrics is made at most once a second, whoever asks."""

import asyncio
import threading

import pytest

from ekiben.service.telemetry import exposition
from ekiben.service.telemetry.exposition import Exposition
from tests.conftest import Server
from tests.http_client import HTTP


class Generator:
    """Counts how often the metrics were made."""

    def __init__(self) -> None:
        self.made = 0
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self) -> bytes:
        assert self.may_end.wait(10)
        self.made += 1
        return b"%d" % self.made


def test_a_hundred_who_ask_at_once_get_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "FLUSH_S", 1000.0)
    generator = Generator()
    generator.may_end.clear()

    async def ask() -> list[bytes]:
        metrics = Exposition(generator)
        asked = [asyncio.create_task(metrics.read()) for _ in range(100)]
        await asyncio.sleep(0)
        asked[0].cancel()  # the first caller goes: the others still get theirs
        generator.may_end.set()
        return [*await asyncio.gather(*asked[1:]), await metrics.read()]

    assert asyncio.run(ask()) == [b"1"] * 100


def test_an_old_answer_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "FLUSH_S", 1000.0)

    async def ask() -> list[bytes]:
        metrics = Exposition(Generator())
        first = [await metrics.read(), await metrics.read()]
        monkeypatch.setattr(exposition, "FLUSH_S", 0.0)
        return [*first, await metrics.read(), await metrics.read()]

    assert asyncio.run(ask()) == [b"1", b"1", b"2", b"3"]


def test_after_a_failure_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "FLUSH_S", 0.0)
    given = iter([b"", b"good"])

    def generate() -> bytes:
        return next(given) or bytes(-1)  # which raises ValueError

    async def ask() -> bytes:
        metrics = Exposition(generate)
        with pytest.raises(ValueError, match="negative count"):
            await metrics.read()
        return await metrics.read()

    assert asyncio.run(ask()) == b"good"


@pytest.mark.slow
def test_a_scraper_gets_text(server: Server) -> None:
    answered = HTTP.get(f"{server.url}/metrics")
    assert answered.headers["content-type"].startswith("text/plain; version=")
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert "ekiben_model_info{" in answered.text
    assert HTTP.post(f"{server.url}/metrics").status_code == 405
