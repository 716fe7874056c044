"""What all workers know of a canary: its versions, its share, and how it ended."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EVERYONE = 1.0
Status = Literal["running", "stepped back", "stopped", "promoted"]


class CanaryState(BaseModel):
    """The state of one model's canary; times are seconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status
    champion: str  # the version that answered everybody as it began
    candidate: str
    share: float = Field(ge=0, le=EVERYONE)
    began: float
    changed: float  # the share, last
    reason: str = ""  # of how it ended, one sentence
    guardrail: str = ""  # that stepped back
    step_backs: dict[str, int] = Field(default_factory=dict)  # so far, of all canaries, by guardrail

    def end(self, status: Status, reason: str, now: float) -> "CanaryState":
        """Return it ended, because of a person."""
        share = EVERYONE if status == "promoted" else 0.0
        return self.model_copy(update={"status": status, "share": share, "changed": now, "reason": reason})

    def step_back(self, guardrail: str, reason: str, now: float) -> "CanaryState":
        """Return it ended by a guardrail."""
        counted = self.step_backs | {guardrail: self.step_backs.get(guardrail, 0) + 1}
        ended = self.end("stepped back", reason, now)
        return ended.model_copy(update={"guardrail": guardrail, "step_backs": counted})

    @property
    def served(self) -> str:
        """The version that answers everyone else, or everyone."""
        return self.candidate if self.status == "promoted" else self.champion

    @property
    def running(self) -> bool:
        """Whether two versions answer."""
        return self.status == "running"


def set_share(before: CanaryState | None, champion: str, candidate: str, share: float, now: float) -> CanaryState:
    """Return the canary with this share: the running one if it is of these versions, else a new one."""
    if before and before.running and (before.champion, before.candidate) == (champion, candidate):
        return before.model_copy(update={"share": share, "changed": now if share != before.share else before.changed})
    return CanaryState(
        status="running", champion=champion, candidate=candidate, share=share, began=now, changed=now,
        step_backs=before.step_backs if before else {},
    )  # fmt: skip
