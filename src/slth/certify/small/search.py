"""Few inputs, few units: whole searches in compiled code, for as many differences as there are.

A few climbs, then the depth-first search of `cones` from every orthant with a limited number of
nodes. What it proves rests on `reduce_units` and `explore_cones`; docs/certify.md.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from slth.certify.ascent import shortest_share
from slth.certify.cones.explore import explore_cones
from slth.certify.cones.records import Cutoff, OpenCone, parts_of, rules_of, working_memory
from slth.certify.problem.cheap import lipschitz_bound
from slth.certify.problem.objective import one_problem, reduce_units
from slth.copying import copy_matrix, copy_vector
from slth.network import FloatArray
from slth.rounding.outward import TINY

_LEVELS = 64
_CLIMBING_STEPS = 40


class Batch(NamedTuple):
    """Differences in d inputs, see `Differences`: their units, and `SIGNS` and `PIECES` of each,
    [B, 3, 2, 2] and [B, 3]."""

    hidden: FloatArray
    split: FloatArray
    offsets: np.ndarray
    signs: FloatArray
    pieces: np.ndarray


class Wanted(NamedTuple):
    """What is asked of the searches.

    rtol, eps: as in `enclose`; eps is inf where nothing is to be decided. starts: float64 [S, d],
    non-zero, where to climb from. most_nodes: for each difference; where they do not do, the bound
    may be loose. slice_nodes: return after about that many.
    """

    rtol: float
    eps: float
    starts: FloatArray
    most_nodes: int
    slice_nodes: int


@njit(cache=True, nogil=True, error_model="numpy")
def search_many(batch, noise, wanted, first, upper, points):
    """Bound the suprema of differences number `first`, `first` + 1, ... over the unit ball, d >= 2.

    Args:
        batch: a `Batch`. wanted: a `Wanted`.
        noise: float64 [B], what need not be told apart from 0.
        upper: float64 [B], overwritten by the upper bounds.
        points: float64 [B, d], overwritten by the best points found, 0 where there is none.

    Returns how many of the differences are done, those before `first` included.
    """
    offsets, count = batch.offsets, batch.offsets.shape[0] - 1
    spent = 0
    for item in range(first, count):
        units = slice(offsets[item], offsets[item + 1])
        reduced = reduce_units(batch.hidden[units], batch.split[:, units].copy())
        signs = batch.signs[item]
        pieces = batch.pieces[item]
        point = points[item]
        point[:] = 0.0
        best = 0.0
        upper[item] = 0.0
        problems = 0
        while problems < 3 and pieces[problems] > 0:
            problem, exponent, slack = _unit_problem(reduced, signs[problems, : pieces[problems]])
            best = _climb(problem, wanted.starts, best, exponent, point)
            trivial = math.ldexp(lipschitz_bound(*problem), exponent)
            upper[item] = max(upper[item], (trivial + slack) * (1.0 + 2.0**-50))
            problems += 1
        nodes = 0
        proven = 0.0
        for number in range(problems):
            if best > wanted.eps:
                break
            problem, exponent, slack = _unit_problem(reduced, signs[number, : pieces[number]])
            floor = noise[item]
            if wanted.eps != np.inf:
                floor = wanted.eps * (1.0 - 2.0**-40) - slack
            most = wanted.most_nodes - nodes
            visited, bound, best = _search(problem, exponent, floor, best, wanted, most, point)
            nodes += visited
            # What underflows in scaling changes the problem by less than `TINY`.
            proven = max(proven, math.ldexp(bound, exponent) + TINY + slack)
            if number + 1 == problems:
                upper[item] = min(upper[item], proven * (1.0 + 2.0**-50))
        spent += nodes + 1
        if spent >= wanted.slice_nodes:
            return item + 1
    return count


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _search(problem, exponent, floor, best, wanted, most_nodes, point):
    """Search the problem, which is divided by 2^exponent, from every orthant. floor, best: of the
    problem itself.

    Returns (nodes, an upper bound of the divided problem, the best value of the problem itself),
    the best point in `point` if it is better than before.
    """
    linear, coefficients, rows = problem
    d = rows.shape[1]
    floor = math.ldexp(floor, -exponent)
    value = math.ldexp(best, -exponent)
    parts = parts_of(linear, coefficients, rows, np.bool_(False))
    rules = rules_of(
        len(parts.rising) + len(parts.falling), d, 1.0, np.bool_(False), np.bool_(True)
    )
    memory, left = working_memory(np.int64(_LEVELS), parts)
    root = lipschitz_bound(linear, coefficients, rows)
    share = 1.0 if len(linear) == 1 else 0.5
    cone = np.zeros((d, d))
    bound = 0.0
    visited = 0
    for orthant in range(1 << d):
        settled = root <= max(floor, value * (1.0 + wanted.rtol))
        over = value > math.ldexp(wanted.eps, -exponent)
        if settled or over or visited >= most_nodes:
            bound = max(bound, root)
            break
        for l in range(d):
            cone[l, l] = 1.0 if (orthant >> l) & 1 else -1.0
        budget = most_nodes - visited
        count, undecided, reached, closed = explore_cones(
            parts,
            rules,
            OpenCone(cone, cone, share, root, 0),
            Cutoff(value, wanted.rtol, floor, budget),
            memory,
            left,
        )
        visited += count
        bound = max(bound, closed)
        for k in range(undecided):
            bound = max(bound, left.facts[k, 0])
        if reached > value:
            value = reached
            copy_vector(point, left.point)
    return visited, min(root, bound), math.ldexp(value, exponent)


@njit(cache=True, nogil=True)
def _unit_problem(reduced, signs):
    """((linear, coefficients, hidden), exponent, slack): the problem divided by 2^exponent, so
    that its Lipschitz bound lies in [1, 2) or is 0."""
    linear, split, rows, slack = reduced
    linear, coefficients, hidden, slack = one_problem(linear, split, rows, slack, signs)
    exponent = math.frexp(lipschitz_bound(linear, coefficients, hidden))[1] - 1
    for k in range(linear.shape[0]):
        for l in range(linear.shape[1]):
            linear[k, l] = math.ldexp(linear[k, l], -exponent)
        for i in range(hidden.shape[0]):
            coefficients[k, i] = math.ldexp(coefficients[k, i], -exponent)
    return (linear, coefficients, hidden), exponent, slack


@njit(cache=True, nogil=True, inline="always")
def _climb(problem, starts, best, exponent, x):
    """Climb from every start as `ascent` does; the best value times 2^exponent, and its point in x
    if it is more than `best`."""
    linear, coefficients, hidden = problem
    d = hidden.shape[1]
    point = np.empty(d)
    moved = np.empty(d)
    uphill = np.empty(d)
    toward = np.empty(d)
    slopes = np.empty(linear.shape)
    for start in range(starts.shape[0]):
        copy_vector(point, starts[start])
        _normalise(point)
        value = _steepest(linear, coefficients, hidden, point, slopes, uphill)
        step = 1.0
        for _ in range(_CLIMBING_STEPS):
            for l in range(d):
                moved[l] = point[l] + step * (uphill[l] - point[l])
            _normalise(moved)
            reached = _steepest(linear, coefficients, hidden, moved, slopes, toward)
            if reached > value + 1e-14 * abs(value):
                value = reached
                copy_vector(point, moved)
                copy_vector(uphill, toward)
                step = min(1.0, 2.0 * step)
            else:
                step *= 0.4
                if step < 1e-3:
                    break
        if math.ldexp(value, exponent) > best:
            best = math.ldexp(value, exponent)
            copy_vector(x, point)
    return best


@njit(cache=True, nogil=True)
def _normalise(point):
    size = 0.0
    for l in range(point.shape[0]):
        size += point[l] * point[l]
    if size > 0.0:
        for l in range(point.shape[0]):
            point[l] /= math.sqrt(size)


@njit(cache=True, nogil=True)
def _steepest(linear, coefficients, hidden, point, slopes, uphill):
    """The objective at the point; `uphill` becomes the direction of the gradient, of two pieces
    that of the shortest gradient between theirs."""
    pieces, d = linear.shape
    copy_matrix(slopes, linear)
    for i in range(hidden.shape[0]):
        inner = 0.0
        for l in range(d):
            inner += hidden[i, l] * point[l]
        if inner > 0.0:
            for k in range(pieces):
                for l in range(d):
                    slopes[k, l] += coefficients[k, i] * hidden[i, l]
    value = np.inf
    for k in range(pieces):
        piece = 0.0
        for l in range(d):
            piece += slopes[k, l] * point[l]
        value = min(value, piece)
    share = 1.0 if pieces == 1 else shortest_share(slopes[0], slopes[1], 1.0)
    for l in range(d):
        uphill[l] = share * slopes[0, l]
        if pieces == 2:
            uphill[l] += (1.0 - share) * slopes[1, l]
    _normalise(uphill)
    return value
