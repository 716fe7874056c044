"""What all workers of a service compared, and the labels that they hand on to each other.

A label comes to any worker, and its pair is with the one that answered. So what finds no pair is published with the
comparison, the latest MAX_HANDED labels, and each of the others looks for the pairs once.
"""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ekiben.contract.comparison.comparison import Comparison, Version, merge_comparisons
from ekiben.contract.comparison.judgement import Judgement, judge
from ekiben.model.package import PackedModel
from ekiben.service.lifecycle.exchange import Exchange
from ekiben.service.shadow.pairs import Matched
from ekiben.service.shadow.shadow import Shadow

KIND = "challenger"
PUBLISH_S = 2.0
MAX_HANDED = 4096


class Published(BaseModel):
    """What a worker publishes."""

    model_config = ConfigDict(frozen=True)

    comparison: Comparison
    first: int = 0  # the number of the first of these labels, of all that this worker ever handed on
    ids: list[str] = []
    labels: list[float] = []


class Overview:
    """Makes the comparison of this worker's part and of those that others published; belongs to one event loop."""

    def __init__(self, shadow: Shadow) -> None:
        self.shadow = shadow
        self._exchange: Exchange | None = None
        self._handed: deque[tuple[bytes, float]] = deque(maxlen=MAX_HANDED)
        self._count = 0  # labels that were ever handed on
        self._seen: dict[int, int] = {}  # of each other worker's labels, how many were looked at

    def compare(self) -> Comparison:
        """Return the comparison of all workers, the others' as of PUBLISH_S ago."""
        own = self._describe()
        others = {f"worker {process}": published.comparison for process, published in self._read_others(own)}
        return merge_comparisons({"this worker": own, **others})

    def judge(self) -> Judgement:
        """Return what it says."""
        return judge(self.compare())

    def receive(self, ids: Sequence[bytes], labels: Sequence[float]) -> Matched:
        """Take labels that were sent to this worker."""
        self.shadow.counter.receive(len(ids))
        matched = self.shadow.take_labels(ids, labels)
        if self._exchange:
            self._handed += [(ids[position], labels[position]) for position in matched.unplaced]
            self._count += len(matched.unplaced)
        return matched

    def share(self, folder: Path) -> None:
        """Publish in a folder, every PUBLISH_S on this event loop, and read there what other workers published."""
        champion = self.shadow.champion
        self._exchange = Exchange(folder, f"{KIND}_{champion.name}_{champion.version}")
        self._publish_regularly()

    def publish(self) -> None:
        """Write what this worker compared, and take the labels that others handed on."""
        if self._exchange is None:
            return
        own, handed = self._describe(), list(self._handed)
        published = Published(
            comparison=own,
            first=self._count - len(handed),
            ids=[one.decode() for one, _ in handed],
            labels=[label for _, label in handed],
        )
        self._exchange.write(published.model_dump_json().encode())
        for process, other in self._read_others(own):
            self._take_labels(process, other)

    def close(self) -> None:
        """Publish for the last time."""
        self.publish()
        self.shadow.close()
        self._exchange = None

    def _publish_regularly(self) -> None:
        if self._exchange is not None:
            self.publish()
            self.shadow.loop.call_later(PUBLISH_S, self._publish_regularly)

    def _take_labels(self, process: int, other: Published) -> None:
        new = max(self._seen.get(process, 0) - other.first, 0)
        self._seen[process] = other.first + len(other.ids)
        if new < len(other.ids):
            self.shadow.take_labels([one.encode() for one in other.ids[new:]], other.labels[new:])

    def _describe(self) -> Comparison:
        shadow = self.shadow
        return Comparison(
            model=shadow.champion.name,
            target=shadow.champion.schema.target,
            champion=_name_version(shadow.champion),
            challenger=_name_version(shadow.challenger),
            edges=shadow.counter.edges,
            slices=dict(shadow.counter.slicer.names),
            parts=(shadow.describe(),),
        )

    def _read_others(self, own: Comparison) -> list[tuple[int, Published]]:
        """Return what the other workers published of these two models: one that began later may have found others."""
        found = []
        for process, content in self._exchange.read_others() if self._exchange else ():
            try:
                published = Published.model_validate_json(content)
            except ValidationError:
                continue  # another version of this code wrote it
            if published.comparison.identity == own.identity:
                found.append((process, published))
        return found


def _name_version(model: PackedModel) -> Version:
    return Version(version=model.version, digest=model.digest)
