"""Bounds that are moved: in the network as in NumPy, and never beyond what an answer can be."""

import keras
import numpy as np
import pytest

from ekiben.training.adaptation.network import Move

ANSWERS = np.array([[3.0, 1.0, 9.0], [0.0, 0.0, 0.5], [40.0, 30.0, 45.0]], np.float32)  # value, low, high


@pytest.mark.parametrize("margin", [0.0, 2.5, 100.0, -1.0, -100.0])
@pytest.mark.parametrize("limits", [(), (0.0,), (0.0, 45.0)])
def test_the_network_answers_what_is_said_of_it(margin: float, limits: tuple[float, ...]) -> None:
    move, given = Move(margin, *limits), keras.Input((3,))
    wanted = move.answers(ANSWERS)
    network = move.network(keras.Model(given, keras.layers.Identity()(given)))
    assert (network.predict(ANSWERS, verbose=0) == wanted).all()
    assert (wanted[:, 0] == ANSWERS[:, 0]).all()
    assert (wanted[:, 1] <= wanted[:, 0]).all()
    assert (wanted[:, 0] <= wanted[:, 2]).all()


def test_counts_are_never_below_0_and_without_limits_they_are() -> None:
    assert Move(5.0, 0.0, 45.0).answers(ANSWERS).tolist() == [[3, 0, 14], [0, 0, 5.5], [40, 25, 45]]
    assert Move(5.0).answers(ANSWERS).tolist() == [[3, -4, 14], [0, -5, 5.5], [40, 25, 50]]
