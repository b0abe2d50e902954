"""Random features with refitted outputs: NOT tickets, for the output weights are trained.

g_c(x) = sum_i c_i relu(<w_i, x>) with c real: what the same hidden units could do if their output
weights were free. The minimax fit errs no more than any neuron ticket with a linear readout, for
{0, a_i} is within R; so its error is also a floor under the optimum that costs one linear program.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from slth.certify.enclose import enclose
from slth.errors import require_time_limit
from slth.limits import Deadline
from slth.network import FloatArray, ReLUNetwork, require_networks
from slth.pruning.neurons.judging import sample_points
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.sphere import peaks
from slth.solution import Enclosure

# Linear programs, at most; each adds the points where the last optimum errs most.
_ROUNDS = 60
# Ends when the error exceeds the program's value by less than this fraction.
_RTOL = 1e-4


@dataclass(frozen=True)
class Refit:
    """A network of the same hidden units with trained output weights, and its certified error."""

    network: ReLUNetwork
    error: Enclosure


def refit_least_squares(
    net: ReLUNetwork, target: ReLUNetwork, time_limit: float | None = 60.0, seed: int = 0
) -> Refit:
    """Output weights of least mean squared error on a uniform sample of the sphere."""
    deadline = Deadline(require_time_limit(time_limit))
    plain = _unit_outputs(net, target)
    points = sample_points(plain, np.random.default_rng(seed))
    fit = np.linalg.lstsq(plain.features(points), plain.target_values(points), rcond=None)
    return _certified(plain, np.asarray(fit[0], dtype=np.float64), deadline)


def refit_minimax(
    net: ReLUNetwork, target: ReLUNetwork, time_limit: float | None = 60.0, seed: int = 0
) -> Refit:
    """Output weights of least uniform error: linear programs over points of the sphere, to which
    the largest residuals of each optimum are added, until they exceed it by a factor 1 + 1e-4."""
    deadline = Deadline(require_time_limit(time_limit))
    plain = _unit_outputs(net, target)
    rng = np.random.default_rng(seed)
    points = sample_points(plain, rng)[: 4 * plain.width + 40]
    best, least = np.zeros(plain.width), np.inf
    for _ in range(_ROUNDS):
        weights, value = _chebyshev(plain.features(points), plain.target_values(points), deadline)
        if weights is None:
            break
        found, heights = peaks(plain, weights, rng, deadline)
        worst = float(heights.max(initial=0.0))
        if worst < least:
            best, least = weights, worst
        if worst <= value * (1.0 + _RTOL) + 1e-12 or deadline.expired:
            break
        points = np.concatenate([points, found])
    return _certified(plain, best, deadline)


REFITS = {"least-squares": refit_least_squares, "minimax": refit_minimax}


def _unit_outputs(net: ReLUNetwork, target: ReLUNetwork) -> Problem:
    require_networks(net, target)
    return Problem(ReLUNetwork(net.hidden, np.ones(net.width), "linear"), target)


def _chebyshev(
    phi: FloatArray, f: FloatArray, deadline: Deadline
) -> tuple[FloatArray | None, float]:
    """min over c of max_p |phi[p] c - f[p]|: the weights (None if the time is up) and the value."""
    ones = np.ones((f.size, 1))
    solved = scipy.optimize.linprog(
        np.r_[np.zeros(phi.shape[1]), 1.0],
        A_ub=np.block([[phi, -ones], [-phi, -ones]]),
        b_ub=np.r_[f, -f],
        bounds=[(None, None)] * phi.shape[1] + [(0.0, None)],
        method="highs",
        options={"time_limit": max(deadline.remaining, 0.01)},
    )
    if solved.status != 0:
        return None, np.inf
    return solved.x[:-1], float(solved.fun)


def _certified(plain: Problem, weights: FloatArray, deadline: Deadline) -> Refit:
    network = ReLUNetwork(plain.net.hidden, weights, "linear")
    limit = Deadline(max(0.1, deadline.remaining))
    return Refit(network, enclose(network, plain.target, 1e-6, limit))
