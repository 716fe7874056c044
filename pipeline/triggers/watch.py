"""`ekiben watch`: looks at services, the source and the row log, decides, trains, and looks again."""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ekiben.contract.errors import UserError
from ekiben.contract.text_lines import printable
from ekiben.pipeline.triggers.decisions import TIME
from ekiben.pipeline.triggers.looking.seen import Alarm, LiveScore, Seen
from ekiben.pipeline.triggers.looking.services import find_alarms
from ekiben.pipeline.triggers.run import ERROR
from ekiben.pipeline.triggers.watcher import Watcher
from ekiben.training.problem import ProblemConfig
from ekiben.training.redaction import redact
from ekiben.training.retrain_config import Retrain

if TYPE_CHECKING:
    from ekiben.pipeline.triggers.looking.row_log import RowLog
    from ekiben.pipeline.triggers.looking.source_rows import RowCount


@dataclass
class Lookout:
    """Where to look for what the rules ask for, and nothing else."""

    problem: ProblemConfig
    rules: Retrain
    services: Sequence[str]
    log: "RowLog | None"
    source: "RowCount | None"

    def look(self) -> Seen:
        """Return what there is; what can't be looked at is one sentence, and hides nothing else."""
        troubles: list[str] = []
        alarms: list[Alarm] = []
        if self.rules.drift and self.services:
            alarms, troubles = find_alarms(self.services, self.problem.name)
        rows = labels = None
        score: LiveScore | None = None
        try:
            if self.source:
                rows = self.source.look()
        except (UserError, OSError) as error:
            troubles.append(describe_trouble("the source", error))
        try:
            if self.log and self.rules.new_labels:
                labels = self.log.count_labels()
            if self.log and self.rules.score:
                score = self.log.score(self.rules.score)
        except (UserError, OSError) as error:
            troubles.append(describe_trouble("the row log", error))
        return Seen(tuple(alarms), rows, labels, score, tuple(redact(one, *self.services) for one in troubles))


def describe_trouble(what: str, error: Exception) -> str:
    """Return an error as one line: a file system or an object store says itself what failed, but not of what."""
    return str(error) if isinstance(error, UserError) else f"{what} can't be looked at: {' '.join(str(error).split())}"


@dataclass
class Saying:
    """Lines with the time; a trouble is said once, until it has gone."""

    _said: frozenset[str] = frozenset()

    def say(self, sentence: str) -> None:
        """Print a line."""
        sys.stdout.write(f"{datetime.fromtimestamp(time.time(), UTC):{TIME}} {printable(sentence)}\n")
        sys.stdout.flush()

    def say_troubles(self, troubles: Sequence[str]) -> None:
        """Print those that are new."""
        for one in troubles:
            if one not in self._said:
                self.say(one)
        self._said = frozenset(troubles)


def watch(watcher: Watcher, lookout: Lookout, saying: Saying, every_s: float) -> None:
    """Look for ever; an interrupt ends it. The run that was started is left to the caller."""
    try:
        while True:
            look_once(watcher, lookout, saying)
            time.sleep(every_s)
    except KeyboardInterrupt:
        saying.say("the watcher ends; it will find what it remembers")


def watch_once(watcher: Watcher, lookout: Lookout, saying: Saying) -> int:
    """Look once; return the exit code of the run that was started, 0 if there was none."""
    try:
        look_once(watcher, lookout, saying)
        code = watcher.child.wait() if watcher.child else 0
    finally:
        if watcher.child:
            watcher.child.stop()
    return code if code >= 0 else ERROR


def look_once(watcher: Watcher, lookout: Lookout, saying: Saying) -> None:
    """Look, which an interrupt ends, and decide, which it does not: a run begins as a whole or not at all."""
    seen = lookout.look()
    try:
        with ThreadPoolExecutor(1) as undisturbed:  # signals reach the main thread only, and leaving waits
            undisturbed.submit(watcher.consider, seen).result()
        saying.say_troubles(seen.troubles)
    except OSError as error:
        saying.say_troubles([f"{error.filename}: {error.strerror}: nothing is decided until it can be written"])
