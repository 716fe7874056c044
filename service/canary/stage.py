"""One model's versions, as far as a canary needs them."""

from typing import Protocol

from ekiben.contract.reference.reference import Reference
from ekiben.contract.schema import Target
from ekiben.service.canary.run import Run


class Stage(Protocol):
    """What holds, serves and releases them."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def version(self) -> str:
        """The version that answers whoever names none."""

    @property
    def target(self) -> Target:
        """What it predicts."""

    @property
    def reference(self) -> Reference | None:
        """What training saw."""

    @property
    def why_no_labels(self) -> str:
        """Why no labels come for its answers, "" if they may."""

    async def hold(self, version: str, force: bool) -> None:
        """Have a version ready beside it; raises BadRequest if there is none, or it doesn't fit."""

    async def serve(self, version: str, force: bool) -> None:
        """Let a version answer whoever names none, from now on; raises as `hold` does."""

    def release(self, version: str) -> None:
        """End a version that is held beside it."""

    def divide(self, run: Run | None) -> None:
        """Let a canary choose who answers, or nobody."""
