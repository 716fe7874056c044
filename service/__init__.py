"""A packed model → answers over the network."""

import os

# The service forks only to run another program (Parquet's reader): without this gRPC logs a line each time.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
# gRPC's core logs a line for each call whose metadata is too long: whoever calls could fill a disk.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
