"""How a connection ends: GOAWAY, the answers that are under way, its close."""

import httpx
import pytest

from ekiben.service.connections.http2 import frames, lifetime
from tests.http2_server import (
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RST,
    Client,
    begin_post,
    frame,
    get,
    serve,
)  # fmt: skip
from tests.uvicorn_server import run
from tests.waiting import wait_for

LAST_POSSIBLE = 2**31 - 1


async def read_goodbye(client: Client) -> None:
    """Answer the PING that comes with the first GOAWAY."""
    begun = await client.wait(GOAWAY)
    assert (begun.code, begun.last_stream) == (0, LAST_POSSIBLE)
    client.send(frame(PING, 1, 0, (await client.wait(PING)).payload))


def test_a_stop_answers_what_is_under_way_and_what_crosses_it() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(begin_post(1))
            await wait_for(lambda: served.server.server_state.tasks != set())
            served.server.should_exit = True
            await client.wait(GOAWAY)
            client.send(get(3))  # on the wire already as the GOAWAY came
            assert await client.finish(3) == (200, b"/")
            await read_goodbye(client)
            assert (await client.wait(GOAWAY, count=2)).last_stream == 3
            client.send(get(5))
            assert (await client.wait(RST, 5)).code == 7  # REFUSED_STREAM: to be sent again elsewhere
            client.send(frame(DATA, END_STREAM, 1, b"whole"))
            assert await client.finish(1) == (200, b"whole")
            await client.wait_end()

    run(scenario())


async def read_last(client: Client, last_stream: int) -> None:
    """Read the one GOAWAY of a connection that has nothing under way."""
    await client.wait_end()
    assert [(one.code, one.last_stream) for one in client.find(GOAWAY)] == [(0, last_stream)]


def test_a_stop_does_not_wait_for_clients_that_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "LEAVE_S", 0.2)

    async def scenario() -> None:
        async with serve() as served, served.connect() as idle, served.connect() as busy:
            idle.send(get(1))
            await idle.finish(1)
            busy.send(begin_post(1))
            await wait_for(lambda: served.server.server_state.tasks != set())
            served.server.should_exit = True
            await read_last(idle, 1)
            await busy.wait(GOAWAY, count=2)  # it has not answered the PING
            busy.send(frame(DATA, END_STREAM, 1, b"whole"))
            assert await busy.finish(1) == (200, b"whole")
            await busy.wait_end()

    run(scenario())


def test_a_drain_ends_each_connection_with_its_next_answer() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(get(1))
            await client.finish(1)
            served.shared.admission.draining = True
            client.send(get(3))
            assert await client.finish(3) == (200, b"/")
            await read_last(client, 3)

    run(scenario())


def test_an_old_connection_is_ended_and_its_requests_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with serve(connection_age_s=0.2) as served, served.connect() as client:
            client.send(begin_post(1))
            await read_goodbye(client)
            await client.wait(GOAWAY, count=2)
            client.send(frame(DATA, END_STREAM, 1, b"whole"))
            assert await client.finish(1) == (200, b"whole")
            await client.wait_end()

    run(scenario())


def test_a_request_that_outlives_the_grace_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "LOOK_S", 0.1)

    async def scenario() -> None:
        async with serve(connection_age_s=0.1, grace_s=0.3) as served, served.connect() as client:
            client.send(begin_post(1))
            await client.wait_end()
            assert not client.find(HEADERS)
            await wait_for(lambda: not served.server.server_state.tasks)

    run(scenario())


def test_a_client_that_is_never_quiet_is_left_between_two_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "MAX_OPENED", {lifetime.QUIET: 20, lifetime.IDLE: 40, lifetime.NOW: 100})

    async def scenario() -> None:
        async with serve() as served, httpx.AsyncClient(http1=False, http2=True, timeout=60) as client:
            for _ in range(120):
                assert (await client.post(f"http://127.0.0.1:{served.port}/", content=b"x")).content == b"x"

    run(scenario())


def test_a_client_that_is_never_idle_is_asked_to_connect_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lifetime.MAX_OPENED[lifetime.NOW] + 3 * frames.MAX_STREAMS < 4096  # where zttp ends a connection
    monkeypatch.setattr(lifetime, "MAX_OPENED", {lifetime.QUIET: 50, lifetime.IDLE: 60, lifetime.NOW: 100})

    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(begin_post(1))
            number = 0
            while not client.find(GOAWAY):
                number += 1
                client.send(get(2 * number + 1))
                assert await client.finish(2 * number + 1) == (200, b"/")
            assert number <= 100
            await read_goodbye(client)
            await client.wait(GOAWAY, count=2)
            client.send(frame(DATA, END_STREAM, 1, b"whole"))
            assert await client.finish(1) == (200, b"whole")
            await client.wait_end()

    run(scenario())


def test_a_client_that_leaves_gets_its_answers() -> None:
    async def scenario() -> None:
        async with serve() as served, served.connect() as client:
            client.send(begin_post(1), frame(GOAWAY, 0, 0, bytes(8)))
            client.send(frame(DATA, END_STREAM, 1, b"whole"))
            assert await client.finish(1) == (200, b"whole")
            await client.wait_end()

    run(scenario())


def test_a_lost_connection_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        async with serve() as served:
            async with served.connect() as client:
                client.send(
                    *(begin_post(2 * number + 1) + frame(DATA, 0, 2 * number + 1, b"x") for number in range(50))
                )
                await wait_for(lambda: len(served.server.server_state.tasks) == 50)
            await wait_for(lambda: not served.count_connections() and not served.server.server_state.tasks)
            assert served.shared.budget.taken == 0

    run(scenario())


@pytest.mark.parametrize("idle_s", [0.2, 60.0])
def test_an_idle_connection_is_ended_in_time(idle_s: float) -> None:
    async def scenario() -> None:
        async with serve(keep_alive_s=idle_s) as served, served.connect() as client:
            client.send(get(1))
            await client.finish(1)
            if idle_s < 1:
                await read_last(client, 1)
            else:
                client.send(get(3))
                await client.finish(3)
                assert not client.find(GOAWAY)

    run(scenario())
