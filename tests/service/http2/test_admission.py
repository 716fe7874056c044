"""Requests over HTTP/2 before the app: read at once, waiting, rejected."""

import pytest

from ekiben.service.connections.admission import AdmissionController
from ekiben.service.connections.rejections import BODY
from tests.http2_server import (
    DATA,
    END_STREAM,
    RST,
    begin_post,
    frame,
    get,
    post,
    serve,
)  # fmt: skip
from tests.uvicorn_server import run

CANCEL = (8).to_bytes(4, "big")


@pytest.fixture
def behind() -> AdmissionController:
    """Admission while the engine is too far behind for anybody to be read."""
    admission = AdmissionController(max_wait_s=1.0)
    admission.backlog_s = lambda: 2.0
    return admission


def test_a_whole_post_is_rejected_unread_and_others_are_not(behind: AdmissionController) -> None:
    async def scenario() -> None:
        async with serve(admission=behind) as served, served.connect() as client:
            client.send(post(1, b"rows"), get(3), begin_post(5))
            assert await client.finish(1) == (429, BODY)
            assert ("retry-after", "1") in client.heads[1][0]
            assert await client.finish(3) == (200, b"/")
            client.send(frame(DATA, END_STREAM, 5, b"late"))
            assert await client.finish(5) == (200, b"late")  # the app hears that it is late
            assert served.shared.budget.taken == 0

    run(scenario())


def test_who_waits_is_answered_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiben.service.connections.admission.TICK_REQUESTS", 2)

    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(*(post(2 * number + 1, b"%d" % number) for number in range(60)))
            for number in range(60):
                assert await client.finish(2 * number + 1) == (200, b"%d" % number)

    run(scenario())


def test_who_leaves_while_waiting_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ekiben.service.connections.admission.TICK_REQUESTS", 1)

    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(
                *(post(2 * number + 1, b"x") for number in range(40)),
                *(frame(RST, 0, 2 * number + 1, CANCEL) for number in range(1, 40)),
            )
            client.send(post(101, b"y"))
            assert await client.finish(101) == (200, b"y")
            assert served.shared.budget.taken == 0

    run(scenario())


def test_a_rejection_to_somebody_who_left_goes_nowhere(behind: AdmissionController) -> None:
    async def scenario() -> None:
        async with serve(admission=behind) as served, served.connect() as client:
            client.send(post(1, b"x"), frame(RST, 0, 1, CANCEL), post(3, b"y"))
            assert (await client.finish(3))[0] == 429
            assert 1 not in client.heads

    run(scenario())


def test_a_drain_rejects_nobody_unread(behind: AdmissionController) -> None:
    behind.draining = True

    async def scenario() -> None:
        async with serve(admission=behind) as served, served.connect() as client:
            client.send(post(1, b"x"))
            assert await client.finish(1) == (200, b"x")

    run(scenario())
