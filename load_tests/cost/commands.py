"""The commands that measure costs: their options, and what each runs; what is heavy is imported only as it runs."""

import argparse
from typing import TYPE_CHECKING

from ekiben.load_tests.arguments import count, positive
from ekiben.load_tests.command import add, add_port, add_rounds

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_commands(commands: "Commands") -> None:
    """Add them."""
    cost = add(commands, "cost", run_cost, "measure what a request costs in each protocol, without sockets")
    cost.add_argument("--seconds", type=positive, default=1.0, help="CPU time of one measurement (%(default)s)")
    instead = cost.add_mutually_exclusive_group()
    instead.add_argument("--monitoring", action="store_true", help="what counting the rows adds to it, instead")
    instead.add_argument("--shadow", action="store_true", help="what a challenger in the shadow adds to it, instead")
    instead.add_argument("--log", action="store_true", help="what logging them adds to it, instead")
    instead.add_argument("--grpc", action="store_true", help="what HTTP/2 and gRPC add to it, instead")
    instead.add_argument("--heads", action="store_true", help="what known heads spare it, instead")
    explanations = add(
        commands, "explanations", run_explanations, "measure what explanations cost, and what a flood of them does"
    )
    add_port(explanations)
    add_rounds(explanations)
    parquet = add(commands, "parquet", run_parquet, "measure what reading a Parquet body costs")
    parquet.add_argument("--seconds", type=positive, default=2.0, help="length of one measurement (%(default)s)")
    begun = add(commands, "start", run_start, "measure a service's start and its memory, in one process and two")
    add_port(begun)
    begun.add_argument("--rounds", type=count, default=5, help="starts of each (%(default)s)")
    begun.add_argument("--contents", action="store_true", help="list what is in memory, by size, instead")
    add(commands, "tables", run_tables, "measure what a table's digest and keeping it cost")


def run_cost(options: argparse.Namespace) -> int:
    """Measure what a request costs in each protocol, or what counting, logging or a challenger adds."""
    from ekiben.load_tests.cost import grpc_cost, head_cost, monitoring_cost, request_cost, row_log_cost, shadow_cost

    others = (
        (options.monitoring, monitoring_cost),
        (options.log, row_log_cost),
        (options.shadow, shadow_cost),
        (options.grpc, grpc_cost),
        (options.heads, head_cost),
    )
    measure = next((module for chosen, module in others if chosen), request_cost)
    return int(measure.run(options.seconds))


def run_explanations(options: argparse.Namespace) -> int:
    """Measure explanations in this process, and a flood of them in a service that is started here."""
    from ekiben.load_tests.cost import explanation_cost, explanation_flood

    explanation_cost.run(options.seconds)
    explanation_flood.run(options.port, options.seconds, options.rounds)
    return 0


def run_parquet(options: argparse.Namespace) -> int:
    """Measure what reading a Parquet body costs."""
    from ekiben.load_tests.cost import parquet_cost

    parquet_cost.run(options.seconds)
    return 0


def run_start(options: argparse.Namespace) -> int:
    """Measure starts, or list what a service in one process is made of."""
    from ekiben.load_tests.cost import start_contents, start_cost

    if options.contents:
        start_contents.run(options.port)
    else:
        start_cost.run(options.port, options.rounds)
    return 0


def run_tables(options: argparse.Namespace) -> int:
    """Measure what a table's digest and keeping it cost."""
    from ekiben.load_tests.cost import table_cost

    table_cost.run()
    return 0
