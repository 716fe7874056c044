"""What a new engine's batches cost, however busy the machine is that measures it."""

import time
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from ekiben.contract.encoding import Encoded
from ekiben.model.steps import finish
from ekiben.service.batching import warm_up
from tests.doubling import SCHEMA, Doubling

FIXED_S, ROW_S, HELD_UP_S = 0.001, 0.000_01, 0.5


class Machine(Doubling):
    """Takes time by a clock of its own, and is held up by something else now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self._runs = 0.0, count()

    def run(self, encoded: Encoded) -> NDArray[np.float32]:
        self.now += FIXED_S + ROW_S * len(encoded) + (HELD_UP_S if next(self._runs) % 3 == 1 else 0)
        return super().run(encoded)


def test_what_holds_the_machine_up_is_no_cost_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    monkeypatch.setattr(time, "perf_counter", lambda: machine.now)
    cost = finish(warm_up.measure_cost(machine, SCHEMA))
    assert cost.predict(0) == pytest.approx(FIXED_S)
    assert cost.predict(512) == pytest.approx(FIXED_S + 512 * ROW_S)
