"""Picks rows for the log as they are encoded: their columns are there then, and still in the processor's caches."""

from collections.abc import Sequence

from ekiben.contract.columns import Columns, Rows, Transposer
from ekiben.contract.schema import Schema
from ekiben.service.batching.work import Work
from ekiben.service.row_log.kept_rows import REQUEST_BYTES, Dictionary, Kept, KeptRows, Layout, select_rows
from ekiben.service.row_log.sampling import Sampler
from ekiben.service.row_log.waiting import Waiting

FEW_ROWS = 256


class Picker:
    """Picks rows while there is memory for them; belongs to one thread.

    Of requests with few rows all are kept or none, and of those that were encoded together as many as have FEW_ROWS: a
    kilobyte of code that runs for 6 rows must be fetched as for 60. Of larger requests rows are picked one by one.
    """

    def __init__(self, schema: Schema, layout: Layout, share: float, waiting: Waiting) -> None:
        self._layout, self._waiting = layout, waiting
        self._transposer = Transposer(schema.names)
        self._requests, self._rows = Sampler(share), Sampler(share)
        self._dictionary = self._open_dictionary()
        self.dropped = 0  # rows for which there was no memory

    def keep(self, works: Sequence[Work], rows: Rows) -> None:
        """Keep rows of some of the requests, which were encoded together and have the `rows` one after the other."""
        if len(rows) - len(works) < FEW_ROWS:
            self._keep_small(works, rows)
            return
        self._keep_small([work for work in works if work.stop - work.start <= FEW_ROWS], rows)
        for work in works:
            if work.stop - work.start > FEW_ROWS:
                work.kept = self._pick_of_many(rows, work.start, work.stop)

    def pick(self, rows: Rows) -> Kept | None:
        """Return the rows of one request that are kept, None if there are none."""
        total = len(rows)
        if total > FEW_ROWS:
            return self._pick_of_many(rows, 0, total)
        kept = self._take(rows, range(total)) if self._requests.pick(1) else None
        return None if kept is None else Kept(kept, 0, total, total)

    def forget(self) -> None:
        """Give back what only rows to come would need."""
        self._dictionary = self._open_dictionary()

    def _keep_small(self, works: Sequence[Work], rows: Rows) -> None:
        together = max(1, FEW_ROWS * len(works) // len(rows))
        for group in self._requests.pick(-(-len(works) // together)):
            picked = works[group * together : (group + 1) * together]
            first = picked[0].start
            kept = self._take(rows, range(first, picked[-1].stop), len(picked))
            if kept is not None:
                for work in picked:
                    work.kept = Kept(kept, work.start - first, work.stop - first, work.stop - work.start)

    def _pick_of_many(self, rows: Rows, start: int, stop: int) -> Kept | None:
        chosen = self._rows.pick(stop - start)
        kept = self._take(rows, [start + index for index in chosen]) if chosen else None
        return None if kept is None else Kept(kept, 0, len(chosen), stop - start, chosen)

    def _take(self, rows: Rows, indices: Sequence[int], requests: int = 1) -> KeptRows | None:
        select = None if len(indices) == len(rows) else select_rows(indices)
        if isinstance(rows, list):
            columns = self._transpose(rows if select is None else select(rows))
            select = None
        else:
            columns = rows
        kept, dictionary = self._layout.copy(columns, select, self._dictionary, self._waiting), self._dictionary
        size = self._layout.row_bytes * len(indices) + REQUEST_BYTES * requests
        growth = dictionary.size - dictionary.taken
        if not self._waiting.take(size + growth):
            self.dropped += len(indices)
            self.forget()  # the dictionary has grown by what is dropped
            return None
        kept.taken = size
        dictionary.taken += growth
        if dictionary.full:
            self.forget()
        return kept

    def _open_dictionary(self) -> Dictionary:
        return Dictionary(len(self._layout.others), self._waiting)

    def _transpose(self, rows: Sequence[object]) -> Columns:
        columns = self._transposer.transpose(rows)
        assert columns is not None  # they fit the schema
        return columns
