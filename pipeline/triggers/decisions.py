"""The record of decisions: a line of JSON for each, and one for all equal ones of a day.

A thousand events in a minute must not be a thousand lines, and what was counted must be there after a crash. So a line
is written with its first decision, padded; an equal one raises its count and its `until` in place, in one write of as
many bytes. Files are bounded: the current one is rotated at a mebibyte, and the oldest of them goes.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from ekiben.pipeline.triggers.moment import Moment
from ekiben.pipeline.triggers.rules import Decision

MAX_BYTES, MAX_FILES = 1 << 20, 8
SEARCHED_BYTES = 1 << 18  # at the end of the current file, for an equal decision
PADDING = 48  # of a line: room for the digits that a count and other numbers may get
TIME = "%Y-%m-%dT%H:%M:%SZ"
Record = dict[str, Any]


@dataclass(frozen=True)
class DecisionLog:
    """One model's decisions; who writes holds the model's lock."""

    folder: Path
    model: str

    def add(self, decision: Decision, now: Moment, last: str = "", seen: Mapping[str, Any] | None = None) -> bool:
        """Record a decision; return whether it is a new one, and not one more of its kind.

        `last` is the event of the run that began last: what is decided after another run is another decision.
        """
        event = decision.event.model_dump(mode="json") if decision.event else None
        record = _describe(now, decision.kind, decision.train, decision.sentence, event, last, dict(seen or {}))
        return self._write(record, once=decision.train)

    def add_end(self, sentence: str, event: str, code: int | None, now: Moment) -> None:
        """Record how a run ended."""
        record = _describe(now, "ended", False, sentence, None, event, {}) | {"exit_code": code}
        self._write(record, once=True)

    def read(self) -> list[Record]:
        """Return all records, the oldest first; lines that are damaged are left out."""
        return [record for path in reversed(self._list_files()) for record, _, _ in _parse(path.read_bytes())]

    def _list_files(self) -> list[Path]:
        """Return the files, the newest first."""
        return [path for number in range(MAX_FILES) if (path := self._name(number)).exists()]

    def _name(self, number: int) -> Path:
        return self.folder / (f"{self.model}.{number}.jsonl" if number else f"{self.model}.jsonl")

    def _write(self, record: Record, once: bool) -> bool:
        path = self._name(0)
        if path.exists() and path.stat().st_size > MAX_BYTES:
            self._rotate()
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - SEARCHED_BYTES)
            file.seek(start)
            content = file.read()
            if not once and (equal := _find_equal(content, record)):
                line, offset = equal
                file.seek(start + offset)
                file.write(line)
                return False
            broken = b"" if not content or content.endswith(b"\n") else b"\n"  # after a crash within a line
            file.seek(size)
            file.write(broken + (json.dumps(record) + " " * PADDING + "\n").encode())
        return True

    def _rotate(self) -> None:
        for number in range(MAX_FILES - 1, 0, -1):
            if self._name(number - 1).exists():
                self._name(number - 1).replace(self._name(number))


def _describe(
    now: Moment, kind: str, train: bool, sentence: str, event: Record | None, last: str, seen: Record
) -> Record:
    time = now.wall.astimezone(UTC).strftime(TIME)
    return {
        "time": time, "until": time, "count": 1, "train": train, "kind": kind, "sentence": sentence,
        "event": event, "last_run": last, "seen": seen,
    }  # fmt: skip


def _find_equal(content: bytes, record: Record) -> tuple[bytes, int] | None:
    """Return the line of an equal decision of this day, counted once more, and where it begins; None if there is none.

    It is as long as it was; where what was seen needs more room, what was seen before stays.
    """
    for found, offset, length in reversed(list(_parse(content))):
        same = all(found.get(name) == record[name] for name in ("kind", "train", "sentence", "last_run"))
        if same and str(found.get("time"))[:10] == record["time"][:10]:
            counted = found | {"count": int(found["count"]) + 1, "until": record["until"]}
            for updated in (counted | {"seen": record["seen"]}, counted):
                line = json.dumps(updated).encode()
                if len(line) <= length:
                    return line.ljust(length), offset
    return None


def _parse(content: bytes) -> Iterator[tuple[Record, int, int]]:
    """Yield each whole record, where its line begins, and how long it is without the line break."""
    offset = 0
    for line in content.split(b"\n"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict) and "kind" in record and "count" in record:
            yield record, offset, len(line)
        offset += len(line) + 1
