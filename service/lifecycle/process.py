"""What must be set once in a process, before anything of a service is made: other projects keep it in globals."""

import os

from ekiben.service.lifecycle.memory import tune_malloc
from ekiben.service.telemetry.multiprocess import keep_metrics_apart, keep_values_in_memory


def prepare_process(workers: int) -> None:
    """Set up malloc, gRPC's core and prometheus_client for a service; raise UserError if there is no folder to use."""
    tune_malloc()
    # The service forks only to run another program (Parquet's reader): without this gRPC logs a line each time.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    # gRPC's core logs a line for each call whose metadata is too long: whoever calls could fill a disk.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    keep_metrics_apart()
    keep_values_in_memory(workers)
