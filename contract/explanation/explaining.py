"""One row's explanation under way; the package says how it is made.

Nothing here answers a row: who explains takes rows from `next_rows`, and gives their answers to `take`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ekiben.contract.answers import Answers
from ekiben.contract.encoding import Encoded
from ekiben.contract.explanation.background import Background
from ekiben.contract.explanation.explanation import Explanation
from ekiben.contract.explanation.permutations import Permutations
from ekiben.contract.explanation.units import choose_output, to_units
from ekiben.contract.explanation.walks import Orders, Walks, find_effects
from ekiben.contract.schema import Schema

ROUND_PAIRS = 10  # between two looks at the error; fewer are too few to believe their own
MAX_PAIRS = 100  # an explanation that is not settled then is given with the errors it has
MAX_CELLS = 2**22  # 16 MiB of rows at once: ten pairs of up to 450 features, one of 2,000
MIN_PAIRS = 2  # one has no error
SETTLED = 0.05  # the largest standard error, as a share of the largest value


class Explainer:
    """Explains rows of one model."""

    def __init__(self, schema: Schema, background: Background) -> None:
        self.schema, self.background = schema, background
        self.walks = Walks(schema)
        outputs = range(background.answers.shape[1])
        # What the engine that packed the model answered: (outputs, background rows).
        self.starts = np.array([to_units(schema.target, background.answers, output) for output in outputs])
        self.base_values = self.starts.mean(axis=1)  # (outputs,)

    @property
    def rows_per_pair(self) -> int:
        """How many rows a pair asks an engine for; the first ones ask for one more."""
        return self.walks.rows_per_pair

    def start(self, row: Encoded) -> "Explaining":
        """Begin to explain one encoded row."""
        return Explaining(self, row)

    def explain(self, row: Encoded, run: Callable[[Encoded], Answers]) -> "Explaining":
        """Explain one encoded row with an engine at hand: pairs are added until it is settled or has MAX_PAIRS."""
        explaining = self.start(row)
        while not explaining.finished:
            explaining.add_round(run)
        return explaining


class Explaining:
    """One row's explanation under way."""

    def __init__(self, explainer: Explainer, row: Encoded) -> None:
        self._explainer, self._row = explainer, row
        features = len(explainer.schema.names)
        self._permutations = Permutations(row, features, len(explainer.background))
        self._asked: tuple[Orders, NDArray[np.intp]] | None = None
        self._output, self._output_value = 0, np.nan
        self._effects = np.empty((0, features))  # (pairs, features), from the mean on
        self._shifts = np.empty(0)  # (pairs,): by how much this engine answers the start otherwise than the packing's
        self.answer: Answers | None = None  # (1, outputs), to the row itself, once it is known

    @property
    def pairs(self) -> int:
        """How many pairs were taken."""
        return len(self._effects)

    def next_rows(self, pairs: int = ROUND_PAIRS) -> Encoded:
        """Return the rows of that many more pairs, to be answered; before the first ones stands the row itself.

        The same pairs give the same explanation, in whatever parts they are asked for.
        """
        orders, starts = self._asked = self._permutations.draw(pairs)
        background = self._explainer.background
        rows = self._explainer.walks.lay_out(
            orders, Encoded(background.numbers[starts], background.codes[starts]), self._row
        )
        if self.answer is not None:
            return rows
        numbers = np.concatenate([self._row.numbers, rows.numbers])
        return Encoded(numbers, np.concatenate([self._row.codes, rows.codes]))

    def take(self, answers: Answers) -> None:
        """Take the answers, (rows, outputs), to what `next_rows` returned last."""
        assert self._asked is not None, "nothing was asked"
        explainer, target = self._explainer, self._explainer.schema.target
        if self.answer is None:
            self.answer, answers = answers[:1].copy(), answers[1:]  # a view would keep the round's answers, up to 1 GiB
            self._output = choose_output(target, self.answer)
            self._output_value = float(to_units(target, self.answer, self._output)[0])
        (orders, starts), self._asked = self._asked, None
        values = to_units(target, answers, self._output).reshape(len(orders), -1)
        effects = find_effects(orders, values, np.array([self._output_value]))
        effects += explainer.background.attributions[self._output, starts]
        self._effects = np.concatenate([self._effects, effects])
        self._shifts = np.concatenate([self._shifts, values[:, 0] - explainer.starts[self._output, starts]])

    def add_round(self, run: Callable[[Encoded], Answers]) -> None:
        """Take ROUND_PAIRS more pairs, answered by an engine at hand, in parts where rows are wide."""
        explainer, end = self._explainer, self.pairs + ROUND_PAIRS
        at_once = max(1, MAX_CELLS // (explainer.rows_per_pair * len(explainer.schema.names)))
        while self.pairs < end:
            self.take(run(self.next_rows(min(at_once, end - self.pairs))))

    @property
    def finished(self) -> bool:
        """Whether more pairs would be of no use, or too many; who has time looks after every ROUND_PAIRS."""
        return self.settled or self.pairs >= MAX_PAIRS

    @property
    def settled(self) -> bool:
        """Whether the largest standard error is at most SETTLED of the largest value."""
        if self.pairs < ROUND_PAIRS:
            return False
        explanation = self.explanation
        largest = np.abs(explanation.attributions).max()
        return bool(explanation.standard_errors.max() <= SETTLED * largest)

    @property
    def explanation(self) -> Explanation:
        """The explanation so far, of MIN_PAIRS pairs or more."""
        assert self.pairs >= MIN_PAIRS, f"{self.pairs} pairs make no explanation"
        return Explanation(
            # The shift is 0 but on other kinds of processors, where it is a last digit of float32.
            base_value=float(self._explainer.base_values[self._output] + self._shifts.mean()),
            output_value=self._output_value,
            attributions=self._effects.mean(axis=0),
            standard_errors=self._effects.std(axis=0, ddof=1) / np.sqrt(self.pairs),
            pairs=self.pairs,
            output=self._output,
        )
