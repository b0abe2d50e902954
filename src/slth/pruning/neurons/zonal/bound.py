"""How a zonal measure is chosen for an instance: by where the output weight lies. The choice is
free; what a measure proves is summed over all units with outward rounding (`seen`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy

from slth.network import FloatArray
from slth.theory.zonal import Guess, Profile, fitted, profile_of

# Bins of units for the program that chooses mu, geometric from this share of the scale on.
_BINS, _FIRST = 300, 0.05
# What the errors of the profile may cost, as a share of the scale of the answer, scale / (3 d).
_LOSS = 0.01


@dataclass(frozen=True, eq=False)
class Surroundings:
    """How much output weight lies at which angle from some direction: what a measure is chosen by.

    edges: float64 [B + 1], of bins in [0, pi/2]; upper, lower: float64 [B], the sums of the
    alpha_i > 0 and of the -alpha_i > 0 in each.
    """

    edges: FloatArray
    upper: FloatArray
    lower: FloatArray

    @classmethod
    def about(cls, angles: FloatArray, alphas: FloatArray, scale: float) -> Surroundings:
        """Those of units at the given angles."""
        edges = _edges(scale)
        bins = np.clip(np.searchsorted(edges, angles) - 1, 0, _BINS - 1)
        return cls(
            edges,
            np.bincount(bins, np.maximum(alphas, 0.0), _BINS).astype(np.float64),
            np.bincount(bins, np.maximum(-alphas, 0.0), _BINS).astype(np.float64),
        )

    @classmethod
    def uniform(cls, mass: float, d: int, scale: float) -> Surroundings:
        """What surrounds a direction where output weight of that sum of |alpha_i| is spread evenly
        over directions and signs."""
        edges = _edges(scale)
        both = 0.5 * mass * np.diff(scipy.special.betainc((d - 1) / 2.0, 0.5, np.sin(edges) ** 2))
        return cls(edges, both, both)

    def chosen(self, d: int, scale: float, strength: float = 1.0) -> Guess | None:
        """The best measure on a grid for a target of that norm; None where the program fails."""
        middles = np.sqrt(self.edges[1:] * np.maximum(self.edges[:-1], self.edges[1:] / 4.0))
        return fitted(d, middles, self.upper, self.lower, scale, strength)

    def load(self, left: float, right: float) -> float:
        """About the sum of |alpha_i| with the angle in [left, right]."""
        sums = np.concatenate([[0.0], np.cumsum(self.upper + self.lower)])
        low, high = np.interp([left, right], self.edges, sums)
        return float(high - low)

    def profile(self, guess: Guess, d: int, scale: float, expired: Callable[[], bool]) -> Profile:
        """What every unit sees of a measure, as exactly as these units make worth while."""
        return profile_of(guess.measure(d), self.load, _LOSS * scale / (3.0 * d), expired)


def _edges(scale: float) -> FloatArray:
    return np.concatenate([[0.0], np.geomspace(_FIRST * scale, math.pi / 2, _BINS)])
