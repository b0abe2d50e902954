"""The original and the capped pruning process on an actual draw (Definition 3, Section 5.4), and
the (q,p,T)-chain coupled to them step by step (Section 5.5).

Units are added one at a time; B_s counts the bins of one family that are broken for g_S - f after s
units. A unit bends in one bin only and is affine in all others, so one step changes B by at most 1.

The coupling. Let the bins broken before step s have total Cauchy mass q_s, and let p_s be the
probability that the next unit bends well inside an unbroken bin with |jump| >= gamma. These two
events are disjoint. From the unit itself and one independent uniform number we build U_s, uniform
on [0, 1] given the past, with U_s < q_s iff the unit falls in a broken bin and U_s > 1 - p_s iff it
breaks a bin in the sense above. The chain moves down iff U_s < q and up iff U_s >= 1 - p. It stays
below min(B_s, T) as long as q_s <= q and p_s >= p whenever fewer than T bins are broken, and
q + p <= 1: up moves of the chain are then up moves of B, down moves of B are down moves of the
chain, and both kinds of U never meet.

What it does NOT give is the paper's eq. (3), chain <= capped process: once B exceeds T the capped
process shares the moves of a process with more than T broken bins, whose q_s may exceed q and whose
p_s may be below p. The repair is to compare the chain with min(B_s, T) instead, which is all that
is needed: it is 0 exactly when B_s is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from slth.errors import InvalidInput, require_count
from slth.theory.breakpoints import (
    Bins,
    FloatArray,
    kinks,
    require_families,
    require_target,
    require_units,
)
from slth.theory.broken import _kinks_error, _sort_kinks  # pyright: ignore[reportPrivateUsage]
from slth.theory.chains import Chain

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PruningPath:
    """One run of the original process on one family.

    Attributes:
        broken: int64 [k + 1], B_0 .. B_k.
        bin_of: int64 [k], the bin each unit bends in, -1 outside all bins.
        hit_broken: bool [k], whether that bin was broken before the step.
        state: bool [k + 1, bins] or None, which bins are broken after each step, if kept.
    """

    broken: IntArray
    bin_of: IntArray
    hit_broken: NDArray[np.bool_]
    state: NDArray[np.bool_] | None

    @property
    def moves(self) -> IntArray:
        """int64 [k], each -1, 0 or 1."""
        return np.diff(self.broken)


def pruning_process(
    hidden: ArrayLike,
    output: ArrayLike,
    target: ArrayLike,
    *,
    family: int,
    bins: Bins,
    tolerance: float,
    order: ArrayLike | None = None,
    keep_states: bool = False,
) -> PruningPath:
    """The original pruning process (Definition 3) for h = g_S - f.

    B_0 is what it is: 1 if the target's own breakpoint breaks its bin, 0 if the target does not
    bend there or bends too little. (The paper sets B_0 = 1 in every family; see the audit.)

    Args:
        hidden, output, target: float64 [width, d], [width], [d].
        family: which input family.
        bins: the partition; tolerance: best affine error above which a bin is broken.
        order: int [k], the units in order of selection; default 0, 1, ..., width - 1.
        keep_states: keep the whole table of broken bins, k * bins booleans.
    """
    weights, scales = require_units(hidden, output)
    wanted = require_target(target, weights.shape[1])
    chosen = require_families([family], weights.shape[1])
    sequence = _require_order(order, weights.shape[0])
    units = kinks(weights[sequence], scales[sequence], chosen)
    star = kinks(wanted[None, :], np.array([-1.0]), chosen)
    times = np.concatenate([star.breakpoints[0], units.breakpoints[0]])
    jumps = np.concatenate([star.jumps[0], units.jumps[0]])
    k = sequence.shape[0]
    states = np.zeros((k + 1 if keep_states else 0, bins.count), dtype=np.bool_)
    broken, bin_of, hit = _run_process(
        times, jumps, bins.left, bins.length, bins.count, float(tolerance), states
    )
    return PruningPath(broken, bin_of, hit, states if keep_states else None)


def capped_process(path: PruningPath, cap: int) -> IntArray:
    """The capped process of Section 5.4 on the same draws: same moves, never above `cap` nor
    below 0. int64 [k + 1]. It never exceeds the original process (eq. 2)."""
    cap = require_count("cap", cap, least=1)
    capped = np.empty_like(path.broken)
    capped[0] = min(path.broken[0], cap)
    for s, move in enumerate(path.moves):
        capped[s + 1] = min(max(capped[s] + move, 0), cap)
    return capped


@dataclass(frozen=True, eq=False)
class CoupledPath:
    """The (q,p,T)-chain run on the draws of an original process.

    Attributes:
        chain: int64 [k + 1], the coupled chain.
        uniforms: float64 [k], the U_s, independent and uniform.
        broken_mass: float64 [k], q_s: probability to bend in a bin broken before step s.
        good_mass: float64 [k], p_s (a lower bound on it).
    """

    chain: IntArray
    uniforms: FloatArray
    broken_mass: FloatArray
    good_mass: FloatArray


def couple(
    path: PruningPath,
    chain: Chain,
    kinks_of_path: tuple[FloatArray, FloatArray],
    *,
    bins: Bins,
    gamma: float,
    margin: float,
    rng: np.random.Generator,
) -> CoupledPath:
    """Run the (q,p,T)-chain on the draws of `path` (see the module's text).

    Args:
        path: an original process with its states kept.
        chain: started at min(B_0, T).
        kinks_of_path: breakpoints [k] and jumps [k] of the units in order of selection.
        bins, gamma, margin: what "well placed and steep" means: at least margin * length from the
            ends of the bin, |jump| >= gamma.
        rng: source of the extra randomness.
    """
    if path.state is None:
        raise InvalidInput(
            "the path does not hold its states",
            got="state = None",
            expected="the table of broken bins",
            fix="Call pruning_process(..., keep_states=True).",
        )
    times, jumps = kinks_of_path
    mass = bins.masses()
    good = bins.good_masses(gamma, margin)
    k = path.bin_of.shape[0]
    before = path.state[:k]
    broken_mass = before @ mass
    good_mass = (~before) @ good
    inside = path.bin_of >= 0
    offset = (times - bins.left) / bins.length - path.bin_of
    steep = inside & (np.abs(jumps) >= gamma) & (offset >= margin) & (offset <= 1.0 - margin)
    # `good` is a lower bound on the true mass: thin the event so that it has that mass exactly.
    middle = np.where(inside, path.bin_of, 0)
    edge = bins.edges
    exact = _steep_mass(edge[middle], bins.length, gamma, margin, good[middle])
    steep &= rng.random(k) < exact
    up = steep & ~path.hit_broken
    down = inside & path.hit_broken
    v = rng.random(k)
    uniforms = np.where(
        down,
        v * broken_mass,
        np.where(
            up,
            1.0 - (1.0 - v) * good_mass,
            broken_mass + v * (1.0 - good_mass - broken_mass),
        ),
    )
    states = np.empty(k + 1, dtype=np.int64)
    states[0] = min(int(path.broken[0]), chain.cap)
    for s in range(k):
        move = 1 if uniforms[s] >= 1.0 - chain.up else (-1 if uniforms[s] < chain.down else 0)
        states[s + 1] = min(max(states[s] + move, 0), chain.cap)
    return CoupledPath(states, uniforms, broken_mass, good_mass)


def _steep_mass(
    left: FloatArray, length: float, gamma: float, margin: float, lower: FloatArray
) -> FloatArray:
    """lower / (exact probability of a well-placed steep breakpoint in that bin), in [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    t = left[:, None] + length * (margin + (1.0 - 2.0 * margin) * 0.5 * (nodes + 1.0))
    density = np.exp(-gamma * np.sqrt(1.0 + t * t)) / (np.pi * (1.0 + t * t))
    exact = 0.5 * length * (1.0 - 2.0 * margin) * (density @ weights)
    return np.minimum(lower / exact, 1.0)


def _require_order(order: ArrayLike | None, width: int) -> IntArray:
    if order is None:
        return np.arange(width)
    sequence = np.atleast_1d(np.asarray(order, dtype=np.int64))
    if sequence.ndim != 1 or (sequence < 0).any() or (sequence >= width).any():
        raise InvalidInput(
            "order of selection names units that do not exist",
            got=f"indices up to {sequence.max(initial=-1)}",
            expected=f"each in 0 .. {width - 1}",
            fix="Pass a permutation of a subset of the units.",
        )
    if np.unique(sequence).shape[0] != sequence.shape[0]:
        raise InvalidInput(
            "order of selection repeats a unit",
            got=f"{sequence.shape[0]} entries, fewer distinct",
            expected="each unit at most once",
            fix="A unit is kept once or not at all.",
        )
    return sequence


@njit(cache=True, nogil=True)
def _run_process(times, jumps, left, length, count, tolerance, states):
    """Entry 0 is the target (with its negative jump), entries 1.. the units in order."""
    n = times.shape[0]
    bin_of = np.full(n, -1, dtype=np.int64)
    load = np.zeros(count, dtype=np.int64)
    for j in range(n):
        position = (times[j] - left) / length
        if jumps[j] != 0.0 and position >= 0.0 and position < count:
            bin_of[j] = int(position)
            load[bin_of[j]] += 1
    most = 0
    for b in range(count):
        most = max(most, load[b])
    last = np.full(count, -1, dtype=np.int64)
    previous = np.full(n, -1, dtype=np.int64)
    kink = np.empty(most)
    jump = np.empty(most)
    t = np.empty(most + 2)
    y = np.empty(most + 2)
    work = np.empty(2 * most + 4, dtype=np.int64)
    is_broken = np.zeros(count, dtype=np.bool_)
    broken = np.empty(n, dtype=np.int64)
    hit = np.zeros(n, dtype=np.bool_)
    total = 0
    for s in range(n):
        b = bin_of[s]
        if b >= 0:
            hit[s] = is_broken[b]
            previous[s] = last[b]
            last[b] = s
            m = 0
            j = s
            while j >= 0:
                kink[m] = times[j]
                jump[m] = jumps[j]
                m += 1
                j = previous[j]
            _sort_kinks(kink[:m], jump[:m])
            u = left + b * length
            now = _kinks_error(kink[:m], jump[:m], m, u, u + length, t, y, work) > tolerance
            if now != is_broken[b]:
                total += 1 if now else -1
                is_broken[b] = now
        broken[s] = total
        if states.shape[0] > 0:
            states[s, :] = is_broken
    return broken, bin_of[1:], hit[1:]
