"""A command for `--do` that records each call, and ends when it is told to, with the code that it is told."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ekiben.pipeline.triggers.events.event import Event
from ekiben.pipeline.triggers.memory import Memory
from ekiben.pipeline.triggers.moment import Moment
from ekiben.pipeline.triggers.watcher import Watcher
from ekiben.training.retrain_config import Retrain
from tests.conftest import wait_until

SCRIPT = """#!/bin/sh
echo "$2" >> {folder}/calls
while [ ! -e {folder}/end ]; do sleep 0.02; done
exit $(cat {folder}/end)
"""
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass
class RecordedRuns:
    """The script, and what it was called with."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.script = self.folder / "run.sh"
        if not self.script.exists():  # another process may be running it: one that is written to can't be started
            self.script.write_text(SCRIPT.format(folder=self.folder))
            self.script.chmod(0o755)

    @property
    def command(self) -> list[str]:
        return [str(self.script)]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The events that runs were given."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def end(self, code: int = 0) -> None:
        """Let the runs that are on, and all later ones, end at once."""
        unfinished = self.folder / "end.part"
        unfinished.write_text(str(code))
        unfinished.replace(self.folder / "end")

    def hold(self) -> None:
        """Let later runs wait."""
        (self.folder / "end").unlink()

    def wait_for_calls(self, number: int) -> None:
        wait_until(lambda: len(self.calls) >= number)


class Clock:
    """Two clocks that tests turn: the wall's, and the steady one."""

    def __init__(self, wall: datetime = NOON, boot: str = "one") -> None:
        self.wall, self.boot, self.steady_s = wall, boot, 1000.0

    def __call__(self) -> Moment:
        return Moment(wall=self.wall, boot=self.boot, steady_s=self.steady_s)

    def run(self, seconds: float) -> Moment:
        """Let time pass on both."""
        self.wall += timedelta(seconds=seconds)
        self.steady_s += seconds
        return self()

    def jump(self, days: float) -> Moment:
        """Set the wall's alone."""
        self.wall += timedelta(days=days)
        return self()

    def restart(self) -> Moment:
        """Boot the machine: the steady clock begins anew."""
        self.boot, self.steady_s = f"{self.boot} again", 5.0
        return self()


def make_watcher(
    runs: RecordedRuns, clock: Clock | None = None, said: list[str] | None = None, **rules: Any
) -> Watcher:
    """Return a watcher of `shop`; its memory is in EKIBEN_HOME."""
    retrain = Retrain.model_validate({"cooldown": "1h", **rules})
    say = said.append if said is not None else lambda sentence: None
    return Watcher("shop", retrain, Memory("shop"), runs.command, say, clock or Clock())


def make_event(number: int = 0, reason: str = "drift", **fields: Any) -> Event:
    return Event.model_validate({"model": "shop", "reason": reason, "evidence": {"number": number}, **fields})
