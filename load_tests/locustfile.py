"""Locust's users for every protocol: `locust -f load_tests/locustfile.py --host http://127.0.0.1:8080`.

A class of users for each protocol; name some to choose (`… locustfile.py PredictUser GrpcUser`), or
use `--class-picker` in the web UI. Rows are the held-out ones where the BentoML store of this machine
has the model that is served; elsewhere they are generated from the service's own document, so that a
Locust worker needs nothing but the URL. Locust is a closed loop: its users wait for their answers.
For the rate that a service carries, `ekiben capacity` offers an open one.
"""

import argparse
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import grpc
import grpc.experimental.gevent  # type: ignore[import-not-found]
import locust.runners
import locust.stats
from locust import FastHttpUser, User, constant, events, task
from locust.env import Environment

from ekiben.contract.errors import UserError
from ekiben.load_tests.requests.grpc_dialects import OIP_RAW
from ekiben.load_tests.requests.http_dialects import OIP_BINARY, OIP_JSON, PREDICT, TFS_REST, RequestFormat
from ekiben.load_tests.requests.traffic_mix import TrafficMix, write_mix
from ekiben.load_tests.servers.start import CHANNEL_OPTIONS

grpc.experimental.gevent.init_gevent()

MISSED = 1  # the exit code if the goals are
WRONG_USE = 2
TIMEOUT_S = 10.0
PERCENTILE = 0.99


def keep_response_time(response_time: float) -> float:
    """Return a time in ms as the key it is counted under: to 10 µs, where Locust rounds to 1-100 ms."""
    return round(response_time, 2)


# In every process: this file is loaded by each.
locust.stats.bucket_response_time = keep_response_time  # type: ignore[assignment]


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what Ekiben's users and verdict need to Locust's command line."""
    group = parser.add_argument_group("Ekiben")
    group.add_argument("--slo-p99-ms", type=float, default=0.0, help="exit with 1 if the p99 is above; 0: any is good")
    group.add_argument("--error-budget", type=float, default=0.0, help="share of requests that may fail (0)")
    group.add_argument("--row-sizes", default="1,8,64", help="rows a request, by weight (1,8,64)")
    group.add_argument("--row-weights", default="90,8,2", help="how often each of them is sent (90,8,2)")
    group.add_argument("--grpc", default="", metavar="HOST:PORT", help="the gRPC port (default: 9000 of --host)")


def mix_for(environment: Environment, request_format: RequestFormat) -> TrafficMix:
    """Return the questions as the command line wants them."""
    options: Any = environment.parsed_options
    return write_mix(environment.host or "", request_format, options.row_sizes, options.row_weights)


class HttpUser(FastHttpUser):
    """Asks again as soon as it has its answer."""

    abstract = True
    wait_time = constant(0)
    network_timeout = connection_timeout = TIMEOUT_S
    request_format: RequestFormat

    def on_start(self) -> None:
        self._questions = mix_for(self.environment, self.request_format)

    @task
    def ask(self) -> None:
        case = self._questions.draw()
        body: Any = case.body  # Locust's types know strings only, its client sends bytes as they are
        with self.client.post(
            case.path, data=body, headers=case.headers, name=self.request_format.name, catch_response=True
        ) as response:
            if response.status_code == 200 and not self._questions.is_right(case, response.content):
                response.failure("a wrong answer")


class PredictUser(HttpUser):
    """Ekiben's own /predict."""

    weight = 4
    request_format = PREDICT


class OpenInferenceUser(HttpUser):
    """Open Inference Protocol, all of it JSON."""

    request_format = OIP_JSON


class OpenInferenceBinaryUser(HttpUser):
    """Open Inference Protocol with raw tensors."""

    request_format = OIP_BINARY


class TensorFlowServingUser(HttpUser):
    """TensorFlow Serving's REST."""

    request_format = TFS_REST


class GrpcUser(User):
    """Open Inference Protocol over gRPC: a connection of its own, as callers on other machines have."""

    wait_time = constant(0)
    request_format = OIP_RAW

    def on_start(self) -> None:
        self._questions = mix_for(self.environment, self.request_format)
        options: Any = self.environment.parsed_options
        address = options.grpc or f"{urlsplit(self.environment.host or '').hostname}:9000"
        # Without a pool of its own every channel of a process shares one connection, and so one worker.
        self._channel = grpc.insecure_channel(address, (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)))
        self._calls: dict[str, Any] = {}

    def on_stop(self) -> None:
        self._channel.close()

    @task
    def ask(self) -> None:
        case = self._questions.draw()
        call = self._calls.get(case.path)
        if call is None:
            call = self._calls[case.path] = self._channel.unary_unary(case.path, bytes, bytes)
        answer, error, started = b"", None, perf_counter()
        try:
            answer = call(case.body, timeout=TIMEOUT_S)
        except grpc.RpcError as failed:
            error = Failed(failed.code().name)
        milliseconds = 1000 * (perf_counter() - started)
        if error is None and not self._questions.is_right(case, answer):
            error = Failed("a wrong answer")
        self.environment.events.request.fire(
            request_type="gRPC", name=self.request_format.name, response_time=milliseconds, response_length=len(answer),
            exception=error, context={},
        )  # fmt: skip


class Failed(Exception):
    """Why a call counts as failed."""


@events.init.add_listener  # type: ignore[untyped-decorator]
def check_target(environment: Environment, **_: Any) -> None:
    """Reject what can't be loaded before any user starts; the web UI may name another host later."""
    options: Any = environment.parsed_options
    if options is None:
        return
    try:
        if not 0 <= options.error_budget < 1:
            raise UserError(f"--error-budget {options.error_budget}: expected a share from 0 to 1, such as 0.001")
        if not options.slo_p99_ms >= 0:
            raise UserError(f"--slo-p99-ms {options.slo_p99_ms}: expected milliseconds above 0")
        if environment.host and not options.master:
            write_mix(environment.host, PREDICT, options.row_sizes, options.row_weights)
        elif options.headless and not environment.host:
            raise UserError("--host is missing: give the service's URL, such as --host http://127.0.0.1:8080")
    except UserError as error:
        raise SystemExit(reject_usage(error)) from None


def reject_usage(error: UserError) -> int:
    """Print a user's mistake and return the exit code for it."""
    print(f"error: {error}", file=sys.stderr)
    return WRONG_USE


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def set_exit_code(environment: Environment, **_: Any) -> None:
    """Set the exit code: 1 if more requests failed or the p99 was higher than the options allow."""
    options: Any = environment.parsed_options
    for miss in list_misses(environment, options.slo_p99_ms, options.error_budget):
        print(f"missed: {miss}")
        environment.process_exit_code = MISSED
    if environment.process_exit_code is None:
        environment.process_exit_code = 0  # Locust's own rule has no budget


def list_misses(environment: Environment, slo_p99_ms: float, error_budget: float) -> Iterator[str]:
    """Yield what the run did not meet."""
    total = environment.stats.total
    if not total.num_requests:
        if not isinstance(environment.runner, locust.runners.WorkerRunner):
            yield "no request was answered"
        return
    if total.fail_ratio > error_budget:
        yield f"{total.num_failures} of {total.num_requests} requests failed, {error_budget:.3%} may"
    p99 = total.get_response_time_percentile(PERCENTILE)
    if slo_p99_ms and p99 > slo_p99_ms:
        yield f"p99 is {p99:g} ms, {slo_p99_ms:g} ms are allowed"
