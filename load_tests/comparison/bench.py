"""Measures the service beside its baselines and its floors, in one run on one machine: `make bench`.

Every server is up at the same time and they are loaded in turn, round after round, so that what
the machine does otherwise hits all of them alike; shown are medians over the rounds. HTTP is
loaded by wrk, gRPC by h2load; before and after each load a client checks that the answers are
right.
"""

import sys
import tempfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from tqdm import tqdm

from ekiben.contract.errors import UserError
from ekiben.load_tests.comparison import h2load, wrk
from ekiben.load_tests.comparison.bench_report import report
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW
from ekiben.load_tests.requests.http_dialects import LOADS, PREDICT, RequestFormat
from ekiben.load_tests.requests.http_message import http_request
from ekiben.load_tests.requests.request_case import RequestCase, write_case
from ekiben.load_tests.servers.environment import is_installed
from ekiben.load_tests.servers.process import Measured
from ekiben.load_tests.servers.start import ECHO, EKIBEN, FLOOR, MLSERVER, PEERS, REQUEST_FORMATS, Peer, Running, start
from ekiben.model.store import find_model, open_stored
from ekiben.service.environment import read_settings

FIRST_PORT = 18100
BODIES = 200  # different ones, so that no answer is asked for twice in a row


def run(seconds: int, rounds: int, floors: bool = False) -> int:
    """Start every server, load them in turn, print Markdown tables of what was measured.

    `floors`: the service and its floors alone, in the protocols that these are asked in.
    """
    wrk.find_wrk()
    h2load.find_h2load()
    peers = [EKIBEN, FLOOR, ECHO] if floors else find_peers()
    request_formats = (PREDICT, OIP_RAW) if floors else REQUEST_FORMATS
    with ExitStack() as stack:
        loader = Loader(seconds, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        servers = [stack.enter_context(loader.start(peer, port)) for port, peer in enumerate(peers, FIRST_PORT)]
        plan = [
            (load, request_format, server)
            for load in LOADS
            for _ in range(rounds)
            for request_format in request_formats
            for server in servers
            if request_format in server.peer.request_formats and load in request_format.loads
        ]
        results: dict[tuple[tuple[int, int], RequestFormat, Peer], list[Measured]] = {}
        lost: set[Peer] = set()
        for load, request_format, server in tqdm(plan, desc="measuring", unit="run"):
            if server.peer in lost:
                continue
            try:
                measured = loader.measure(server, request_format, *load)
                results.setdefault((load, request_format, server.peer), []).append(measured)
            except UserError as error:
                if not server.peer.environment:
                    raise
                # MLServer's batcher may stop for good when calls are cancelled, as the last of a load are.
                lost.add(server.peer)
                print(f"{error}: it is measured no further", file=sys.stderr)
        report(servers, results)
    return 0


def find_peers() -> list[Peer]:
    """Return the servers that are installed."""
    if is_installed(MLSERVER.environment):
        return list(PEERS)
    print(
        "MLServer is not installed and so not measured: `make peers` in a clone of Ekiben installs it", file=sys.stderr
    )
    return [peer for peer in PEERS if peer is not MLSERVER]


class Loader:
    """Loads servers with the golden rows of the model of the store."""

    def __init__(self, seconds: int, folder: Path) -> None:
        self._seconds = seconds
        self._folder = folder
        model = open_stored(find_model(read_settings().model_name))
        self._schema = model.schema
        self._golden = model.load_golden()

    def start(self, peer: Peer, port: int) -> AbstractContextManager[Running]:
        """Start a server and wait for its first answer."""
        return start(peer, port, self._ask(peer.request_formats[0], 1), self._folder)

    def measure(self, server: Running, request_format: RequestFormat, rows: int, in_flight: int) -> Measured:
        """Load a server in one protocol; raise UserError unless its answers are right before and after."""
        case = self._ask(request_format, rows)
        url, file = server.url(case), self._folder / "load"
        answer = server.check(case)
        if request_format.grpc:
            h2load.write_message(file, case.body)
            measured = h2load.measure(url, server.process, in_flight, self._seconds, file, len(answer))
        else:
            cases = [self._ask(request_format, rows, first) for first in range(BODIES)]
            wrk.write_requests(file, [http_request(q.path, q.headers, q.body) for q in cases])
            measured = wrk.measure(url, server.process, in_flight, self._seconds, file)
        server.check(case)
        return measured

    def _ask(self, request_format: RequestFormat, rows: int, first: int = 0) -> RequestCase:
        return write_case(self._schema, self._golden, request_format, rows, first)
