"""What training learned of its own windows: how far each statistic went, and how far its next windows went beyond."""

from typing import Literal

from ekiben.contract.reference.bins import Frozen

Statistic = Literal["drift", "jump", "missing", "never seen", "familiar", "mean", "spread", "fit", "rejected"]
STEPS = 1024  # of a standard deviation: what a number is rounded to before it is summed up
MAX_STEPS = 32_767
PMI_STEPS = 256
OF_NUMBER = 3  # sums: of familiar values, of steps, and of their squares
DAYS_PER_MONTH = 30
MIN_THRESHOLD = 0.5


class Edge(Frozen):
    """A statistic was between `low` and `high` in training's windows; `unit` beyond them is a score of 1.

    A unit is as much as training's later windows went beyond the earlier ones, and a margin.
    """

    statistic: Statistic
    low: float
    high: float
    unit: float


class Watch(Frozen):
    """What is learned of one feature besides its bins."""

    feature: str  # a distribution's name
    centre: float = 0.0  # the mean of a number
    scale: float = 0.0  # and its standard deviation; 0 if no number is summed up
    familiar: tuple[float, ...] = ()  # the most frequent numbers, if they are most of all
    edges: tuple[Edge, ...] = ()


class Pair(Frozen):
    """Two features, and how well each of their pairs of bins fits: log(p(a, b) / (p(a) p(b))), in PMI_STEPS.

    The mean over rows is the mutual information of both (C. Shannon, 1948). If the values of one are swapped, or come
    from another row, both shares stay as they were and this mean falls.
    """

    features: tuple[str, str]
    table: tuple[int, ...]  # a row of the second feature's bins for each bin of the first
    deviation: float  # the standard deviation over rows
    edge: Edge

    @property
    def name(self) -> str:
        """What its sums are called: no feature has a NUL in its name."""
        return "\0".join(self.features)


class Calibration(Frozen):
    """Edges of all statistics, and one scale for all of them: what two windows in a row of honest rows reach."""

    span: Literal["days"] = "days"
    time: str | None  # the column whose days are the windows; None: blocks of rows, that know no season
    windows: int
    watches: tuple[Watch, ...]
    pairs: tuple[Pair, ...]
    scores: tuple[float, ...]  # the highest that honest windows had with the one before them, the highest first
    judged: int  # of so many windows

    def count_sums(self) -> dict[str, int]:
        """Return how many sums each number and each pair has in a window."""
        numbers = dict.fromkeys((watch.feature for watch in self.watches if watch.scale), OF_NUMBER)
        return numbers | dict.fromkeys((pair.name for pair in self.pairs), 1)

    def find_threshold(self, false_alarms: float) -> float:
        """Return the score from which on two windows in a row are an alarm, for so many false ones a month."""
        place = int(false_alarms * self.judged / DAYS_PER_MONTH)
        reached = self.scores[place] if place < len(self.scores) else 0.0
        return max(reached, MIN_THRESHOLD)
