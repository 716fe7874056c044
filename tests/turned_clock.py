"""A wall clock for services that live through days in seconds; the clocks that only measure run on as they do.

Every Python that starts with this clock's variables loads `sitecustomize` from its folder, which adds what a file holds
to `time.time`. libfaketime is no help: with the other clocks left alone, its `time.sleep` fails in Python 3.11, and
with all of them turned, waiting for a lock never ends.
"""

import os
import time
from datetime import datetime
from pathlib import Path

CLOCK = """
import os, pathlib, time
real, file = time.time, pathlib.Path(os.environ["TURNED_CLOCK"])
time.time = lambda: real() + float(file.read_text())
"""


class TurnedClock:
    """The clock of what is started with its variables."""

    def __init__(self, folder: Path, now: datetime) -> None:
        folder.mkdir()
        self._file = folder / "seconds"
        (folder / "sitecustomize.py").write_text(CLOCK)
        path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
        self.variables = {"PYTHONPATH": path, "TURNED_CLOCK": str(self._file)}
        self.turn(now)

    def turn(self, now: datetime) -> None:
        """Set it."""
        unfinished = self._file.with_suffix(".part")
        unfinished.write_text(str(now.timestamp() - time.time()))
        unfinished.replace(self._file)
