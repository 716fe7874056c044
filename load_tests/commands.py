"""The load tests' commands: their options, and what each runs; what is heavy is imported only as it runs."""

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ekiben.load_tests.arguments import count, positive, served_models
from ekiben.load_tests.command import add, add_port, add_rounds
from ekiben.load_tests.cost import commands as cost
from ekiben.load_tests.reloads import commands as reloads

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

STOPPED = "interrupted: what was measured so far is not written"


def add_commands(commands: "Commands") -> None:
    """Add every load test."""
    capacity = add(
        commands, "capacity", run_capacity, "find the rate that meets the SLO, and the replicas for a target"
    )
    add_slo(capacity)
    add_port(capacity)
    capacity.add_argument(
        "--target-rps", type=positive, default=10_000, help="what all replicas are to carry (%(default)s)"
    )
    capacity.add_argument("--url", help="a service that runs already (default: start one here, with 1 and 2 workers)")
    capacity.add_argument("--seconds", type=positive, default=5.0, help="length of one step (%(default)s)")
    capacity.add_argument("--output", type=Path, default=Path("capacity"), help="folder of the report (%(default)s)")
    overload = add(commands, "overload", run_overload, "offer five times the peak, and see what is kept")
    add_slo(overload)
    add_port(overload)
    overload.add_argument("--rows", type=count, default=1, help="of a request (%(default)s)")
    overload.add_argument(
        "--heavy", action="store_true", help="behind a network of two wide layers instead of the packed one"
    )
    overload.add_argument("--cores", type=count, default=1, help="of the service (%(default)s)")
    overload.add_argument("--seconds", type=positive, default=10.0, help="length of the burst (%(default)s)")
    soak = add(commands, "soak", run_soak, "load every protocol at once for long, with bad, slow and leaving callers")
    add_port(soak)
    soak.add_argument("--minutes", type=positive, default=10.0, help="how long (%(default)s)")
    reloads.add_commands(commands)
    hostile = add(commands, "hostile", run_hostile, "attack it in every way that is known, beside good callers")
    add_port(hostile)
    hostile.add_argument("--only", nargs="+", default=(), metavar="NAME", help="attacks whose names begin like this")
    hostile.add_argument(
        "--seconds", type=positive, default=10.0, help="after which an attack sends no more (%(default)s)"
    )
    hostile.add_argument("--short", action="store_true", help="a quarter of each attack, as CI runs it")
    hostile.add_argument("--list", action="store_true", help="name the attacks, and attack nothing")
    bench = add(commands, "bench", run_bench, "measure the service beside its baselines and its floors")
    bench.add_argument("--floors", action="store_true", help="the service and its floors alone: /predict and gRPC raw")
    add_rounds(bench)
    peers = add(commands, "peers", run_peers, "measure other servers with the same model beside ours")
    add_rounds(peers)
    models = add(commands, "models", run_models, "measure many models in one service beside a service with one")
    add_port(models)
    models.add_argument("--count", type=served_models, default=50, help="models (%(default)s)")
    add_rounds(models)
    batching = add(
        commands, "batching", run_batching, "measure what the queue buys, for a light and for a heavy network"
    )
    batching.add_argument("--seconds", type=positive, default=2.0, help="length of one measurement (%(default)s)")
    cost.add_commands(commands)


def add_slo(parser: argparse.ArgumentParser) -> None:
    """Add what is demanded of the answers' times."""
    parser.add_argument("--slo-p99-ms", type=positive, default=50.0, help="the 99th percentile allowed (%(default)s)")


def run_capacity(options: argparse.Namespace) -> int:
    """Measure, and write report, summary and the autoscaler's patch."""
    from ekiben.load_tests.capacity import measure
    from ekiben.load_tests.capacity.container import size_container, write_resources
    from ekiben.load_tests.capacity.hpa import UTILIZATION, write_patch
    from ekiben.load_tests.capacity.report import Findings, answer, make_folder, summarize, write_report
    from ekiben.load_tests.capacity.scalability import plan_replicas
    from ekiben.service.environment import read_settings

    make_folder(options.output)  # before the minutes that would be lost
    goal = measure.Goal(options.slo_p99_ms)
    with tempfile.TemporaryDirectory() as folder:
        if options.url:
            found = [measure.measure_url(options.url, options.seconds, goal)]
        else:
            found = [
                measure.measure_workers(workers, options.port, Path(folder), options.seconds, goal)
                for workers in measure.WORKERS
            ]
    best = found[0][0].capacity  # of the setup that a container has
    plan = plan_replicas(options.target_rps, best.offered.rate if best else 0.0, 1, goal.slo_ms)
    container = size_container(found[0][0], read_settings().max_body_bytes)
    findings = Findings(
        goal, options.target_rps, [measured for measured, _ in found], plan, found[0][1].origin, container
    )
    write_report(options.output, findings)
    patches = ["hpa.yaml"]
    write_patch(
        options.output / "hpa.yaml", plan, answer(findings), container.utilization if container else UTILIZATION
    )
    if container:
        write_resources(options.output / "resources.yaml", container, answer(findings))
        patches.append("resources.yaml")
    written = ", ".join(["report.html", "summary.md", *patches])
    print(f"\n{summarize(findings)}\nwritten to {options.output}: {written} and the plots")
    return 0


def run_overload(options: argparse.Namespace) -> int:
    """Overload a service that is started here."""
    from ekiben.load_tests import heavy_model
    from ekiben.load_tests.overload import overload

    overload.check(options.rows, options.cores)  # before a network is packed, or so many rows are written
    if options.heavy:
        given = "port", "rows", "cores", "slo_p99_ms", "seconds"
        pairs = ((f"--{name.replace('_', '-')}", str(getattr(options, name))) for name in given)
        return heavy_model.run(["overload", *itertools.chain(*pairs)])
    with tempfile.TemporaryDirectory() as folder:
        return overload.run(
            options.port, options.rows, options.cores, options.slo_p99_ms, options.seconds, Path(folder)
        )


def run_soak(options: argparse.Namespace) -> int:
    """Soak a service that is started here."""
    from ekiben.load_tests import soak

    with tempfile.TemporaryDirectory() as folder:
        return soak.run(options.port, options.minutes, Path(folder))


def run_hostile(options: argparse.Namespace) -> int:
    """Attack a service that is started here."""
    from ekiben.load_tests.hostile import run as hostile

    if options.list:
        return hostile.list_attacks()
    with tempfile.TemporaryDirectory() as folder:
        return hostile.run(options.port, options.only, options.seconds, options.short, Path(folder))


def run_bench(options: argparse.Namespace) -> int:
    """Measure the service beside its baselines and its floors."""
    from ekiben.load_tests.comparison import bench

    return bench.run(options.seconds, options.rounds, options.floors)


def run_peers(options: argparse.Namespace) -> int:
    """Measure other servers with the same model."""
    from ekiben.load_tests.comparison import peers

    return peers.run(options.seconds, options.rounds)


def run_models(options: argparse.Namespace) -> int:
    """Measure copies of the packed model in one service."""
    from ekiben.load_tests.many import run as many

    return many.run(options.count, options.port, options.seconds, options.rounds)


def run_batching(options: argparse.Namespace) -> int:
    """Measure the queue in this process."""
    from ekiben.load_tests import batching_gain

    return batching_gain.run(options.seconds)
