"""One run of a model at a time, on however many machines: a lock in MLflow's registry.

MLflow can't compare and set a tag. But of two who create a registered model of one name, one gets an error: every
store has that as a unique key. So the lock is a registered model `NAME.run-7` while a run holds it, and its number only
grows. Who wants it reads the highest number, and creates the next one if the holder of that is gone: of all who saw the
same, one can. When it is given back its number is first kept as a tag of the experiment: who looked before that, and
comes late, finds that his number was had already. A holder that was taken for dead finds a higher number, and ends.

What is guaranteed: of runs that begin together one goes on. What is not: a run that is suspended for longer than
STALE_S may be taken for dead, and notices only at its next step.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from ekiben.contract.errors import UserError
from ekiben.pipeline.process import Process, find_process
from ekiben.training.registry.store import STORE_ERRORS

BEAT_S = 30.0
STALE_S = 600.0  # between the steps of an orchestrator a machine may have to start
GENERATION_TAG = "pipeline_generation"  # of the experiment: the highest number that was given back
PAGE = 1000
DESCRIPTION = "Held while `ekiben run` or `ekiben step` runs; it goes by itself."


class RunBusy(UserError):
    """Another run of this model is on its way."""


class RunLost(UserError):
    """Another run took this one for dead."""


@dataclass(frozen=True)
class Holder:
    """Who holds the lock, as its tags say."""

    generation: int
    run: str
    process: Process
    beat: datetime

    def is_alive(self) -> bool:
        """Return whether it still runs: its heart beats, and if that can be seen from here, its process is there."""
        age = abs((datetime.now(UTC) - self.beat).total_seconds())  # a beat of the future is no beat either
        return age <= STALE_S and not self.process.is_gone()


@dataclass
class RunLock:
    """The lock of a model's runs, for one run."""

    model: str
    run: str
    generation: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def acquire(self) -> None:
        """Take the lock, or take it up again; raise RunBusy if another run, or process of this one, holds it."""
        holder = self._find_holder()
        if holder is not None and holder.run == self.run:
            if holder.process not in (Process(), find_process()) and holder.is_alive():
                raise self._busy(holder)
            self.generation = holder.generation
            self._beat()
            return
        if holder is not None and holder.is_alive():
            raise self._busy(holder)
        self.generation = max(self._read_returned(), holder.generation if holder else 0) + 1
        try:
            MlflowClient().create_registered_model(self._name(self.generation), self._describe(), DESCRIPTION)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            raise self._busy(self._find_holder()) from None
        if self._is_late():
            self._delete(self.generation)
            raise self._busy(self._find_holder())
        for generation in range(holder.generation if holder else self.generation, self.generation):
            self._delete(generation)

    def check(self) -> None:
        """Raise RunLost if another run has taken the lock."""
        holder = self._find_holder()
        if holder is None or holder.run != self.run:
            by = f" by the run {holder.run}" if holder else ""
            raise RunLost(f"this run was taken for dead{by}: it ends here; what it made is kept")

    def release(self) -> None:
        """Give the lock back, if it is still held."""
        holder = self._find_holder()
        if holder is not None and holder.run == self.run:
            MlflowClient().set_experiment_tag(self._find_experiment(), GENERATION_TAG, str(self.generation))
            self._delete(self.generation)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Show that the run lives, from a thread, for as long as this lasts; then, that it is between two steps."""
        thread = threading.Thread(target=self._keep_beating, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            with suppress(*STORE_ERRORS):  # released, or taken
                self._tag({**self._describe(), "process": ""})

    def _keep_beating(self) -> None:
        while not self._ended.wait(BEAT_S):
            with suppress(*STORE_ERRORS):  # the next beat may come through
                self._beat()

    def _beat(self) -> None:
        self._tag(self._describe())

    def _tag(self, tags: dict[str, str]) -> None:
        for key, value in tags.items():
            MlflowClient().set_registered_model_tag(self._name(self.generation), key, value)

    def _describe(self) -> dict[str, str]:
        return {"run": self.run, "process": str(find_process()), "beat": datetime.now(UTC).isoformat()}

    def _name(self, generation: int) -> str:
        return f"{self.model}.run-{generation}"

    def _find_holder(self) -> Holder | None:
        prefix = self._name(0).removesuffix("0")
        found = MlflowClient().search_registered_models(f"name LIKE '{prefix}%'", max_results=PAGE)
        holders = [
            Holder(
                int(one.name.removeprefix(prefix)),
                one.tags.get("run", ""),
                Process.parse(one.tags.get("process", "")),
                datetime.fromisoformat(one.tags["beat"]),
            )
            for one in found
            if one.name.startswith(prefix) and one.name.removeprefix(prefix).isdigit() and "beat" in one.tags
        ]
        return max(holders, key=lambda holder: holder.generation, default=None)

    def _is_late(self) -> bool:
        """Return whether the number was had already, or a higher one is."""
        holder = self._find_holder()
        higher = holder is not None and holder.generation > self.generation
        return higher or self._read_returned() >= self.generation

    def _read_returned(self) -> int:
        found = MlflowClient().get_experiment_by_name(self.model)
        return int(found.tags.get(GENERATION_TAG, "0")) if found else 0

    def _find_experiment(self) -> str:
        found = MlflowClient().get_experiment_by_name(self.model)
        assert found is not None  # it is opened before the lock is taken
        return str(found.experiment_id)

    def _delete(self, generation: int) -> None:
        with suppress(MlflowException):  # who took it over has
            MlflowClient().delete_registered_model(self._name(generation))

    def _busy(self, holder: Holder | None) -> RunBusy:
        said = f" ({holder.run}, {holder.process.host or 'between two steps'})" if holder else ""
        wait = "wait until it has ended; `ekiben runs` shows how far it is"
        which = "another process of this run" if holder and holder.run == self.run else "another run"
        return RunBusy(f"{which} of {self.model} is on its way{said}: {wait}")
