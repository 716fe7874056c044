"""A model in the store → answers over the network; never imports training."""

import os

# The service forks only to run another program (Parquet's reader): without this gRPC logs a line each time.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
