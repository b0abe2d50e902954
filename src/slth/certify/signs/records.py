"""The arrays of the lifted dual problem, by name; `lifted` says what they stand for."""

from __future__ import annotations

from typing import NamedTuple

from slth.network import FloatArray


class SignDual(NamedTuple):
    """One dual problem, n = d + 1.

    Attributes:
        free_weights, free: float64 [nf], [nf, n], convex units of unknown sign.
        fixed: float64 [nk, n], s_k w_k.
        concave_weights, concave: float64 [nN] > 0, [nN, n], the concave units.
        linear: float64 [n], the linear part including half of the free units.
        sphere: whether x is on the sphere, or in the ball.
    """

    free_weights: FloatArray
    free: FloatArray
    fixed: FloatArray
    concave_weights: FloatArray
    concave: FloatArray
    linear: FloatArray
    sphere: bool


class Variables(NamedTuple):
    """The dual's: rho [nf], the policies Z [n, nN] with their multiples low, high [nk, nN], and the
    multipliers Y [n, nk]."""

    rho: FloatArray
    Z: FloatArray
    low: FloatArray
    high: FloatArray
    Y: FloatArray


class Forces(NamedTuple):
    """The primal's: the moments X [n, n] of (1, x), dual to S; F1, F2 [n, nN], dual to the
    policies' lower and upper cones; below, above [nk, nN], dual to low and high; E [n, nk], dual to
    the multipliers."""

    X: FloatArray
    F1: FloatArray
    F2: FloatArray
    below: FloatArray
    above: FloatArray
    E: FloatArray


class Standing(NamedTuple):
    """Where the method stands.

    Attributes:
        eta, sigma: what is added to the diagonal of -Q. slack: dual to eta.
        aim: the part of mu at which to aim next.
        best: the least bound proven; value, charge: of the present S, their sum bounds the
            objective.
        nearest: the least distance from the primal.
    """

    eta: float
    sigma: float
    slack: float
    aim: float
    best: float
    value: float
    charge: float
    nearest: float
