"""Keeps from our output what LiteRT notes as it starts, which no setting of it turns off."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2  # LiteRT writes to it beside Python's stream
NOTE = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU."  # of ai-edge-litert 2.3.0


@contextmanager
def drop_engine_notes() -> Iterator[None]:
    """Hold back what is written to standard error inside, and write it out after, but for LiteRT's note."""
    sys.stderr.flush()
    shown = os.dup(STDERR)
    with open(os.memfd_create("stderr"), "w+b") as held:  # a full disk must not keep a model from being loaded
        os.dup2(held.fileno(), STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(shown, STDERR)
            os.close(shown)
            held.seek(0)
            os.write(STDERR, b"".join(line for line in held if line.strip() != NOTE))
