"""What a batch costs: seconds = a + b × rows, fitted to what batches took lately.

Least squares with exponential forgetting need five sums, each times FORGETTING before a batch is added: the line
follows a machine that gets slower within some dozens of batches, and no batch is kept. Where all batches have nearly
one size a slope would be noise: then the line is moved and keeps its slope.
"""

MAX_ROWS = 1_000_000
MIN_VARIANCE = 25.0  # of the rows: below, the slope of the line would be noise
FORGETTING = 0.98  # the weight of a measurement halves every 34 batches


class CostModel:
    """An exponentially weighted least-squares line through (rows, seconds)."""

    def __init__(self) -> None:
        self._weight = self._rows = self._seconds = self._rows_squared = self._product = 0.0
        self.fixed_s = 0.0
        self.row_s = 0.0

    def observe(self, rows: int, seconds: float) -> None:
        """Take one measured batch into the fit."""
        keep = FORGETTING
        self._weight = keep * self._weight + 1
        self._rows = keep * self._rows + rows
        self._seconds = keep * self._seconds + seconds
        self._rows_squared = keep * self._rows_squared + rows * rows
        self._product = keep * self._product + rows * seconds
        self._fit()

    def predict(self, rows: int) -> float:
        """Return the seconds a batch of that many rows should take."""
        return self.fixed_s + self.row_s * rows

    def rows_in(self, seconds: float) -> float:
        """Return how many rows that time is enough for, besides the fixed cost; MAX_ROWS if rows cost nothing."""
        return min(seconds / self.row_s, MAX_ROWS) if self.row_s else MAX_ROWS

    def _fit(self) -> None:
        mean_rows, mean_seconds = self._rows / self._weight, self._seconds / self._weight
        variance = self._rows_squared / self._weight - mean_rows * mean_rows
        if variance < MIN_VARIANCE:
            # Batches of nearly one size say little of the slope: keep it, move the line.
            self.fixed_s = max(mean_seconds - self.row_s * mean_rows, 0.0)
            return
        slope = (self._product / self._weight - mean_rows * mean_seconds) / variance
        self.row_s = min(max(slope, 0.0), mean_seconds / mean_rows)
        self.fixed_s = max(mean_seconds - self.row_s * mean_rows, 0.0)
