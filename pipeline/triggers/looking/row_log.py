"""How many labels a row log has, and how good the answers were for which labels came.

A live score moves by chance, and a watcher looks often: it would see the bound crossed sooner or later with nothing the
matter. So the bound is compared with the end of an interval, and only when a tenth of the labels it is of are new. The
interval is a block bootstrap's (Künsch, 1989): the rows, in the order of time, are cut into 50 blocks; 200 times as
many blocks are drawn with replacement and scored; one in a hundred of these scores lies beyond each end. Rows of one
request, or of one hour, stay together in a block: so what they have in common does not pass for evidence.
"""

import numpy as np
from numpy.typing import NDArray
from pyarrow import ArrowException, parquet

from ekiben.contract.schema import Target
from ekiben.model.store import find_model, open_stored
from ekiben.pipeline.triggers.looking.seen import LiveScore
from ekiben.training.retrain_config import ScoreBound
from ekiben.training.truth.folder import InvalidLog, LogFolder, open_folder
from ekiben.training.truth.intervals import score_rows
from ekiben.training.truth.labels import read_logged_labels
from ekiben.training.truth.rows import LoggedRows, read_rows

MIN_ROWS, MAX_ROWS = 200, 10_000  # labelled, that a score is of: the latest
MIN_NEW = 0.1  # of these, that come between two looks
LATEST = 1000  # rows, that say which version answers: a canary or a version before answers some of them
BLOCKS, DRAWS, SEED = 50, 200, 0
CONFIDENCE = 0.99  # on each side


class RowLog:
    """The row log of a service, look by look."""

    def __init__(self, folder: str, model: str) -> None:
        self._folder, self._model = folder, model
        self._parts: dict[str, tuple[int, int, int]] = {}  # path → size, time of change, rows
        self._labels = 0  # as the score was computed last
        self._score: LiveScore | None = None

    def count_labels(self) -> int:
        """Return the labels that came, by the footers of the files; raise InvalidLog if there is no log."""
        folder = open_folder(self._folder)
        found = {info.path: (info.size, info.mtime_ns or 0) for info in folder.files.get_file_info(list(folder.labels))}
        counted: dict[str, tuple[int, int, int]] = {}
        for path, state in found.items():
            before = self._parts.get(path)
            counted[path] = before if before and before[:2] == state else (*state, _count_rows(folder, path))
        self._parts = counted
        return sum(rows for _, _, rows in counted.values())

    def score(self, bound: ScoreBound) -> LiveScore | None:
        """Return the score of the latest labelled rows, None of too few; that of before, where few labels are new.

        Raises InvalidLog, or InvalidModel if the model is not in the BentoML store.
        """
        labels = self.count_labels()
        if labels >= MIN_ROWS and is_time(labels, self._labels):
            target = open_stored(find_model(self._model)).schema.target
            folder = open_folder(self._folder)
            self._score = score_latest(target, read_rows(target, folder, read_logged_labels(target, folder), {}), bound)
            self._labels = labels
        return self._score


def is_time(labels: int, before: int) -> bool:
    """Return whether enough labels are new since the last look at the score, or some were taken away."""
    return not before <= labels < before + max(1, MIN_NEW * min(before, MAX_ROWS))


def score_latest(target: Target, rows: LoggedRows, bound: ScoreBound) -> LiveScore | None:
    """Return the score of the latest labelled rows of the version that answers, with its interval, None of too few."""
    versions = rows.versions.astype(str).to_numpy()
    names, counts = np.unique(versions[-LATEST:], return_counts=True)
    version = str(names[counts.argmax()])
    chosen = np.flatnonzero(rows.labelled & (versions == version))[-MAX_ROWS:]
    if len(chosen) < MIN_ROWS:
        return None
    scores = score_rows(target, rows, chosen)
    if bound.metric not in scores:
        known = ", ".join(scores)
        raise InvalidLog(f"`retrain.score.metric`: there is no live `{bound.metric}` of these rows; there is: {known}")
    drawn = [
        one[bound.metric] for one in (score_rows(target, rows, draw) for draw in _draw(chosen)) if bound.metric in one
    ]
    low, high = np.quantile(drawn or [np.nan], [1 - CONFIDENCE, CONFIDENCE])
    until = np.datetime64(int(rows.times[chosen[-1]]), "us").astype("datetime64[s]")
    return LiveScore(
        bound.metric, scores[bound.metric], float(low), float(high), len(chosen), version, f"{until}+00:00"
    )


def _draw(chosen: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return rows as they might have been: as many blocks as there are, some of them twice."""
    blocks = np.array_split(chosen, BLOCKS)
    draws = np.random.default_rng(SEED).integers(0, BLOCKS, (DRAWS, BLOCKS))
    return [np.concatenate([blocks[index] for index in draw]) for draw in draws]


def _count_rows(folder: LogFolder, path: str) -> int:
    """Return the rows of a part; of one that is damaged, or just being replaced, none."""
    try:
        with folder.files.open_input_file(path) as file:
            return int(parquet.read_metadata(file).num_rows)
    except (ArrowException, OSError):
        return 0
