"""What the workers of a service tell each other, in files of a folder: each writes its own, and reads the others'."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from ekiben.service.lifecycle.worker_files import list_files
from ekiben.service.telemetry.metric_inheritance import is_dead

logger = logging.getLogger("bentoml.service")
MAX_DEAD = 8  # files of workers that have ended; what is in an older one is lost


class Exchange:
    """One worker's file, and the others'."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._kind = folder, kind
        self.process = os.getpid()
        self._own = folder / f"{kind}_{self.process}.json"
        self._written = True  # at the last attempt
        paths = [path for _, path in list_files(folder, kind)]
        dead = sorted(filter(is_dead, paths), key=lambda path: path.stat().st_mtime)
        for path in dead[:-MAX_DEAD]:
            path.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """Replace this worker's file; where the disk is full that is said once, and tried again the next time."""
        unfinished = self._own.with_suffix(".part")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(self._own)
        except OSError as error:
            if self._written:
                sentence = "%s can't be written (%s): other workers miss what this one sees; make room"
                logger.warning(sentence, self._own, error.strerror)
            self._written = False
        else:
            self._written = True

    def read_others(self) -> Iterator[tuple[int, bytes]]:
        """Yield the process and the content of every other worker's file, also of those that have ended."""
        for process, path in list_files(self._folder, self._kind):
            if process == self.process:
                continue
            try:
                yield process, path.read_bytes()
            except OSError:
                continue  # it is just being removed
