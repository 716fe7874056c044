"""Starts MLServer from its own environment. Run `GRPC_PORT=… python -m load_tests.peers.mlserver PORT`."""

import os
import sys
from pathlib import Path

from load_tests.peers.mlserver import COMMAND
from service.model import find_model
from service.settings import read_settings

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]


def main(port: int) -> None:
    """Become MLServer, on that port for HTTP and GRPC_PORT for gRPC."""
    settings = read_settings()
    model = find_model(settings.model_name)
    os.environ |= {
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(settings.grpc_port),
        "MLSERVER_METRICS_PORT": str(settings.grpc_port + 100),
        "MLSERVER_MODEL_NAME": model.tag.name,
        "MLSERVER_MODEL_URI": model.path,
        "PYTHONPATH": str(ROOT),  # for `contract` and `service`
    }
    os.execv(COMMAND, [str(COMMAND), "start", str(FOLDER)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
