"""Starts MLServer. Run `GRPC_PORT=… python -m ekiben.load_tests.servers.mlserver PORT`."""

import os
import sys
from pathlib import Path

from ekiben.load_tests.servers.environment import find_command
from ekiben.load_tests.servers.packed_model import NAME

FOLDER = Path(__file__).parent


def main(port: int) -> None:
    """Become MLServer, on that port for HTTP and GRPC_PORT for gRPC."""
    grpc_port = int(os.environ["GRPC_PORT"])
    os.environ |= {
        "MLSERVER_HTTP_PORT": str(port),
        "MLSERVER_GRPC_PORT": str(grpc_port),
        "MLSERVER_METRICS_PORT": str(grpc_port + 100),
        "MLSERVER_MODEL_NAME": os.environ[NAME],
    }
    command = find_command("mlserver", "mlserver")
    os.execv(command, [str(command), "start", str(FOLDER)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
