"""MLServer with the same model: our encoding and LiteRT in a custom runtime, in an environment of its own."""

import sys
from pathlib import Path

COMMAND = Path(sys.prefix) / "mlserver" / "bin" / "mlserver"  # `make bench` installs it there
