"""A network that was never trained, for tests of what is made of one."""

import keras
import numpy as np

from ekiben.contract.schema import Schema
from ekiben.training.network.architecture import Design, Shape, Tower, build_towers
from ekiben.training.network.averaging import average_towers
from ekiben.training.network.scaling import scale_numbers, scale_target

LABELS = {"binary": [0, 1], "multiclass": [0, 1, 2], "regression": [1000.0, 2000.0, 3000.0]}


def build_network(schema: Schema, units: int = 8) -> keras.Model:
    """A network that was not trained, but of which every input changes the answer; `units`: the width of its layer."""
    keras.utils.set_random_seed(3)
    scale = scale_target(schema.target, np.repeat(LABELS[schema.target.task], 3))
    numbers = np.random.default_rng(3).normal(size=(100, len(schema.number_names))).astype(np.float32)
    design = Design(schema, scale_numbers(numbers, bins=0), scale, Shape(units=(units,), towers=(Tower(),)))
    return average_towers(build_towers(design), design)
