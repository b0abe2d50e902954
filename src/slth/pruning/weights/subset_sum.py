"""Random subset sum: of n real samples, which subset's sum is nearest the target?

The core of weight pruning (Lueker, Exponentially small bounds on the expected optimum of the
partition and subset sum problems, 1998; Pensia et al. 2020): n = O(log 1/eps) random samples
suffice for every target in [-1, 1], with high probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from slth.errors import InvalidInput, require_array, require_count, require_time_limit
from slth.limits import Deadline, stopped_by_interrupt
from slth.network import BoolArray, FloatArray
from slth.pruning.weights.batch import SubsetBatch, SubsetSums
from slth.pruning.weights.counted import LARGEST as COUNTED
from slth.pruning.weights.enclosure import enclose

__all__ = ["BestByCount", "SubsetSums", "best_by_count", "subset_sum"]


def subset_sum(
    samples: ArrayLike,
    targets: ArrayLike,
    *,
    eps: float | None = None,
    sparsest: bool = False,
    at_most: int | None = None,
    time_limit: float | None = None,
) -> SubsetSums:
    """Find in each row of samples a subset whose sum is near the target.

    Without eps, the nearest (proven for n <= 64; for larger n of a selection's). With
    eps, any within eps, or with `sparsest` one with the fewest members.

    Args:
        samples: float64 [batch, n], or [n] shared by all targets.
        targets: float64 [batch]; a number is a batch of one.
        eps: error allowed, >= 0.
        sparsest: among the subsets within eps, one with the fewest members; needs eps.
        at_most: consider only subsets of at most this many members, 1 <= at_most <= n.
        time_limit: seconds; None means no limit. Problems not reached keep the empty subset. Ctrl-C
            ends the search like a passed limit.

    Returns:
        SubsetSums.

    Raises:
        InvalidInput: empty batch, n = 0, shapes that do not match, entries that are not finite or
            so large or small that sums over- or underflow, eps < 0, sparsest without eps, at_most
            outside 1 .. n, time_limit <= 0.
    """
    values, wanted = checked_problems(samples, targets)
    n = values.shape[1]
    deadline = Deadline(require_time_limit(time_limit))
    if eps is not None:
        eps = require_eps(eps)
    if at_most is not None:
        at_most = _require_at_most(at_most, n)
    if sparsest and eps is None:
        raise InvalidInput(
            "sparsest without eps",
            got="eps = None",
            expected="eps >= 0",
            fix="Say how near is near enough, e.g. eps=0.01.",
        )
    batch = SubsetBatch(values, wanted)
    with stopped_by_interrupt(deadline):
        if eps is None:
            if at_most is None:
                batch.closest(deadline)
            else:
                batch.closest_of_at_most(at_most, deadline)
        elif sparsest or at_most is not None:
            batch.sparsest(eps, n if at_most is None else at_most, deadline)
        else:
            batch.within(eps, deadline)
    return batch.answer(eps)


@dataclass(frozen=True, eq=False)
class BestByCount:
    """For every k = 0 .. K the k-subset whose sum is closest to the target.

    Attributes:
        masks: bool [batch, K + 1, n], masks[t, k] has k members.
        lower, upper: float64 [batch, K + 1], rigorous enclosures of their errors.
        bound: float64 [batch, K + 1], proven lower bounds on the error of every k-subset.
    """

    masks: BoolArray
    lower: FloatArray
    upper: FloatArray
    bound: FloatArray


def best_by_count(
    samples: ArrayLike,
    targets: ArrayLike,
    *,
    at_most: int | None = None,
    time_limit: float | None = None,
) -> BestByCount:
    """The error reachable with every number of samples: the Pareto front of size and error.

    Args:
        samples: float64 [batch, n], or [n] shared by all targets; n <= 40.
        targets: float64 [batch]; a number is a batch of one.
        at_most: the largest k, 1 <= at_most <= n; None: n.
        time_limit: seconds; None means no limit. Problems not reached have empty masks. Ctrl-C ends
            the search like a passed limit.

    Raises:
        InvalidInput: as `subset_sum`, and n > 40.
    """
    values, wanted = checked_problems(samples, targets)
    deadline = Deadline(require_time_limit(time_limit))
    n = values.shape[1]
    most = n if at_most is None else _require_at_most(at_most, n)
    if n > COUNTED:
        raise InvalidInput(
            "too many samples for the best subset of every size",
            got=f"n = {n}",
            expected=f"n <= {COUNTED}",
            fix="Use subset_sum with eps and sparsest=True, or fewer samples.",
        )
    with stopped_by_interrupt(deadline):
        masks, bound = SubsetBatch(values, wanted).by_count(most, deadline)
    flat = masks.reshape(-1, n)
    repeated = values if values.shape[0] == 1 else np.repeat(values, most + 1, axis=0)
    lower, upper = enclose(repeated, flat, np.repeat(wanted, most + 1))
    shape = (len(wanted), most + 1)
    lower, upper = lower.reshape(shape), upper.reshape(shape)
    return BestByCount(masks, lower, upper, np.minimum(bound, lower))


def _require_at_most(at_most: int, n: int) -> int:
    most = require_count("at_most", at_most, least=1)
    if most > n:
        raise InvalidInput(
            "at_most larger than the number of samples",
            got=f"at_most = {at_most}, n = {n}",
            expected="1 <= at_most <= n",
            fix="Leave at_most out to allow every subset.",
        )
    return most


def checked_problems(samples: ArrayLike, targets: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """samples as float64 [batch or 1, n], targets as float64 [batch]."""
    wanted = require_array("targets", np.atleast_1d(np.asanyarray(targets)), ndim=1)
    raw = np.asanyarray(samples)
    rows = raw if raw.ndim != 1 else raw[None, :]
    plain = type(rows) is np.ndarray and rows.dtype == np.float64
    if plain and rows.ndim == 2 and rows.flags.c_contiguous and rows.size:
        values, sound = rows, _sound(rows, float(np.abs(wanted).max(initial=0.0)))
    else:
        values, sound = require_array("samples", rows, ndim=2), False
    if values.shape[1] == 0 or values.shape[0] == 0 or wanted.shape[0] == 0:
        raise InvalidInput(
            "empty batch or no samples",
            got=f"samples of shape {raw.shape}, targets of shape {wanted.shape}",
            expected="at least one problem with at least one sample",
            fix="Pass samples [batch, n] or [n] with n >= 1, and targets [batch].",
        )
    if raw.ndim != 1 and values.shape[0] != wanted.shape[0]:
        raise InvalidInput(
            "targets incompatible with samples",
            got=f"samples of shape {raw.shape}, targets of shape {wanted.shape}",
            expected="one target for each row of samples",
            fix="Pass samples of shape [n] to share them between targets.",
        )
    if not sound:
        _require_magnitudes(require_array("samples", rows, ndim=2), wanted)
    return values, wanted


@njit(cache=True, nogil=True)
def _sound(samples, reach):
    """Whether all samples [batch, n] are finite, not denormal, and their sums below 1e300."""
    for t in range(samples.shape[0]):
        span = reach
        tiny = False
        for k in range(samples.shape[1]):
            magnitude = abs(samples[t, k])
            span += magnitude
            tiny |= (magnitude < 2.2250738585072014e-308) & (magnitude > 0.0)
        if tiny or not span < 1e300:
            return False
    return True


def _require_magnitudes(values: FloatArray, wanted: FloatArray) -> None:
    magnitudes = np.abs(values)
    tiny = (magnitudes > 0.0) & (magnitudes < np.finfo(np.float64).tiny)
    if tiny.any():
        raise InvalidInput(
            "samples hold denormal numbers",
            got=f"{int(tiny.sum())} of them",
            expected="zero or magnitudes from 2.3e-308 on",
            fix="Scale samples and targets up by a power of two.",
        )
    with np.errstate(over="ignore"):
        reach = float(np.max(magnitudes.sum(axis=1)) + np.max(np.abs(wanted)))
    if not reach < 1e300:
        raise InvalidInput(
            "samples too large",
            got=f"sum |samples| + |target| = {reach}",
            expected="less than 1e300",
            fix="Scale samples and targets down by a power of two.",
        )


def require_eps(eps: float) -> float:
    try:
        value = float(eps)
    except (TypeError, ValueError):
        value = float("nan")
    if not 0.0 <= value < float("inf"):
        raise InvalidInput(
            "eps out of range",
            got=repr(eps),
            expected="a finite number >= 0",
            fix="Pass eps=0.01, or leave it out for the nearest subset.",
        )
    return value
