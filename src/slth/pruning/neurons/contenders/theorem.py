"""The tickets that the theorems of width from above build, for a target of one unit.

Linear readout: units weighted by a polynomial, the degree of least error. ReLU readout: the small
units of the right sign. docs/theory/weighted-units.md, docs/theory/small-units.md.
"""

from __future__ import annotations

import numpy as np

from slth.limits import Deadline
from slth.network import BoolArray
from slth.pruning.neurons.contenders.contender import register
from slth.pruning.neurons.problem import Problem, random_sphere
from slth.theory.small_units import small_units
from slth.theory.weighted_units import DEGREES, weighted_units

# Points on which degrees are compared; each is a pass over the few units kept.
_POINTS = 2000


def keep_as_proven(problem: Problem, rng: np.random.Generator, deadline: Deadline) -> BoolArray:
    """The mask of the theorem for this readout; no unit where none speaks of the target."""
    nothing = np.zeros(problem.width, np.bool_)
    direction = problem.direction
    if direction is None or not direction.any() or problem.d < 2 or problem.width == 0:
        return nothing
    hidden, output = problem.net.hidden, problem.net.output
    if not problem.linear:
        # Errors are homogeneous: the theorem speaks of a target of norm 1.
        norm = float(np.linalg.norm(direction))
        return small_units(hidden, output / norm, direction / norm)
    masks = [nothing, *(weighted_units(hidden, output, direction, m) for m in DEGREES)]
    points = random_sphere(rng, _POINTS, problem.d)
    errors = [float(np.abs(problem.values(keep, points)).max()) for keep in masks]
    return masks[int(np.argmin(errors))]


register(
    "theorem",
    keep_as_proven,
    summary="what the theorems build: weighted units (linear), small units (relu)",
)
