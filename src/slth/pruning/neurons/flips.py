"""Iterated greedy on a sample: drop a few units, then flip whichever unit helps most, any of them.

Flips are ranked by a few points where the residual is large, one of every part of the sample, read
along the units; only units that pass there are judged at all points. So a flip among thousands of
units costs little more than one pass over the probes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from slth.copying import copy_vector
from slth.pruning.neurons.local import start_at

# Units dropped at most; flips in a row without a gain after which a mask is left; how much worse
# a mask to go on from may be, at most.
_DROPPED, _IDLE_FLIPS, _SLACK = 6, 3, 0.02
# Parts of the sample; the point of largest residual of each is looked at before all others.
_PROBES = 32
# Points judged between two looks at whether a unit is still worth it.
_BLOCK = 128


@njit(cache=True, nogil=True)
def _probes(residual, cap, places):
    """The point of largest error of each of the sample's `_PROBES` parts, into `places`."""
    size, parts = residual.shape[0], places.shape[0]
    for part in range(parts):
        worst = np.float32(-1.0)
        for p in range(part * size // parts, (part + 1) * size // parts):
            seen = max(residual[p], min(-residual[p], cap[p]))
            if seen > worst:
                worst = seen
                places[part] = p


@njit(cache=True, nogil=True)
def _best_flip(phi, rows, residual, cap, sign, barred, places, floor):
    """The unit not barred whose flip leaves the least error, and that error. rows: phi transposed;
    places, floor: room for the probes and for what every flip leaves at them."""
    width, size = phi.shape
    _probes(residual, cap, places)
    for i in range(width):
        floor[i] = np.float32(np.inf) if barred[i] else np.float32(0.0)
    for p in places:
        r, most, row = residual[p], cap[p], rows[p]
        for i in range(width):
            after = r + sign[i] * row[i]
            floor[i] = max(floor[i], max(after, min(-after, most)))
    least, chosen = np.float32(np.inf), -1
    while True:
        i = np.argmin(floor)
        worst = floor[i]
        if worst >= least:
            return chosen, least
        s, row = sign[i], phi[i]
        floor[i] = np.float32(np.inf)
        for start in range(0, size, _BLOCK):
            for p in range(start, min(start + _BLOCK, size)):
                after = residual[p] + s * row[p]
                worst = max(worst, max(after, min(-after, cap[p])))
            if worst >= least:
                break
        if worst < least:
            least, chosen = worst, i


@njit(cache=True, nogil=True)
def cycles(phi, rows, f, cap, state, most, count, rng):
    """`count` times drop up to `_DROPPED` kept units and flip the best ones of the others, never to
    more than `most` units; the least error met on the sample, and its mask.

    phi, rows: float32 [N, P], [P, N], the features; f, cap: float32 [P] as in `Sample.for_moves`;
    state: bool [N], the mask to start from, changed in place.
    """
    width = phi.shape[0]
    residual, current = start_at(phi, f, cap, state)
    least, best = np.float32(np.inf), state.copy()
    sign, floor = np.empty(width, np.float32), np.empty(width, np.float32)
    places = np.zeros(min(_PROBES, phi.shape[1]), np.int64)
    barred = np.empty(width, np.bool_)
    for _ in range(count):
        trial, left = state.copy(), residual.copy()
        fixed = np.zeros(width, np.bool_)
        kept = np.flatnonzero(trial)
        size = kept.shape[0]
        for _ in range(min(1 + int(rng.random() * min(_DROPPED, size)), size)):
            i = kept[int(rng.random() * kept.shape[0])]
            if trial[i]:
                trial[i] = False
                fixed[i] = True
                size -= 1
                left -= phi[i]
        for i in range(width):
            sign[i] = -1.0 if trial[i] else 1.0
        idle, error = 0, np.float32(np.inf)
        mask, after = trial.copy(), left.copy()
        while idle < _IDLE_FLIPS:
            for i in range(width):
                barred[i] = fixed[i] or (size >= most and not trial[i])
            i, reached = _best_flip(phi, rows, left, cap, sign, barred, places, floor)
            if i < 0:
                break
            left += sign[i] * phi[i]
            size += int(sign[i])
            trial[i] = not trial[i]
            fixed[i] = True
            idle += 1
            if reached < error:
                error, idle = reached, 0
                copy_vector(mask, trial)
                copy_vector(after, left)
        if error < current * (1.0 + _SLACK * rng.random() ** 3):
            copy_vector(state, mask)
            copy_vector(residual, after)
            current = error
            if error < least:
                least = error
                copy_vector(best, state)
    return least, best
