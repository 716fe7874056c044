"""What stands before replicas: it passes each connection on to the one that is ready, as a Kubernetes Service does."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Forwarder:
    """Takes connections on a port and joins each to the port that is current when it arrives."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._server.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        with suppress(asyncio.CancelledError):
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


@contextmanager
def forward(*targets: int) -> Iterator[list[Forwarder]]:
    """Open a forwarder for each port, in a thread of its own."""
    forwarders = [Forwarder(target) for target in targets]
    opened = threading.Event()
    ends: list[Callable[[], object]] = []

    async def run() -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(end.set))
        for one in forwarders:
            await one.open()
        opened.set()
        await end.wait()
        for one in forwarders:
            one.close()

    thread = threading.Thread(target=asyncio.run, args=[run()])
    thread.start()
    try:
        assert opened.wait(5)
        yield forwarders
    finally:
        ends[0]()
        thread.join()


class Callers:
    """Threads that ask without pause; what is not answered is kept."""

    def __init__(self, *asks: Callable[[], None]) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._keep_asking, args=[ask]) for ask in asks]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *given: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _keep_asking(self, ask: Callable[[], None]) -> None:
        while not self._stopped.is_set():
            try:
                ask()
                self.answered += 1
            except Exception as error:
                self.failures.append(repr(error))
