"""The record of a step: what it was made of, what it made, and what its gates said of it.

One mechanism is cache, resumption and lineage. A step's key is the SHA-256 of all that decides what it makes: its name,
the code it imports, its inputs, the configuration, the lock of its packages and its options. If there is a record of
that key, and its outputs are as they were, the step need not run: after a kill a run goes on where it was, and a run
of which nothing has changed does nothing. And whoever walks back from record to record, by `after`, finds what a model
was made of.
"""

from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict

from ekiben.training.digests import digest_json

Decision = Literal["go", "note", "stop"]


class Verdict(BaseModel):
    """What a gate says, in one sentence."""

    model_config = ConfigDict(frozen=True)

    gate: str
    verdict: Decision
    sentence: str


def go(gate: str, sentence: str) -> Verdict:
    """Return that a gate lets the run go on."""
    return Verdict(gate=gate, verdict="go", sentence=sentence)


def note(gate: str, sentence: str) -> Verdict:
    """Return what a gate has to say without stopping anything."""
    return Verdict(gate=gate, verdict="note", sentence=sentence)


def stop(gate: str, sentence: str) -> Verdict:
    """Return that a gate stops the run."""
    return Verdict(gate=gate, verdict="stop", sentence=sentence)


class StepRecord(BaseModel):
    """What there is to know of a step that was made; times are ISO, in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    key: str
    after: str | None  # the key of the step before it
    event: dict[str, Any] | None  # what started the run, of its first step
    began: str
    ended: str
    code: str  # the digest of the modules that it imports
    lock: str  # the digest of the packages that it ran with
    machine: str
    configuration: dict[str, Any]  # the problem file, without secrets
    options: dict[str, Any] = {}
    inputs: dict[str, str]
    outputs: dict[str, str]
    verdicts: tuple[Verdict, ...] = ()
    sentence: str = ""
    mlflow_run: str | None = None
    version: str | None = None
    digest: str = ""  # of all the rest

    @property
    def stopped_by(self) -> Verdict | None:
        """The first verdict that stops the run, if one does."""
        return next((verdict for verdict in self.verdicts if verdict.verdict == "stop"), None)

    @property
    def verdict(self) -> Literal["go", "stop"]:
        """What all verdicts come to."""
        return "stop" if self.stopped_by else "go"

    def seal(self) -> Self:
        """Return the record with the digest of its content."""
        return self.model_copy(update={"digest": self.count_digest()})

    def count_digest(self) -> str:
        """Return the SHA-256 of all but the digest itself."""
        return digest_json(self.model_dump(mode="json", exclude={"digest"}))

    def count_key(self) -> str:
        """Return the key that follows from what the record says the step was made of."""
        return make_key(self.step, self.code, self.lock, self.configuration, self.options, self.inputs)


def make_key(
    step: str, code: str, lock: str, configuration: dict[str, Any], options: dict[str, Any], inputs: dict[str, str]
) -> str:
    """Return a step's key: the SHA-256 of all that decides what it makes."""
    parts = {"step": step, "code": code, "lock": lock, "configuration": configuration, "inputs": inputs}
    return digest_json(parts | {"options": options})


def now() -> str:
    """Return the time as records have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
