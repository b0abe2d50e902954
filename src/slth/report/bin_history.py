"""The bins of one input family while units are added one by one, and the processes of
the proof on that very run (Definitions 2 to 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth.network import FloatArray, ReLUNetwork
from slth.report.along import PiecewiseLinear, interval, restricted
from slth.report.shown_ticket import RADIUS
from slth.theory.breakpoints import Bins, kinks
from slth.theory.broken import affine_fit, bin_errors
from slth.theory.chains import Chain
from slth.theory.processes import IntArray, capped_process, couple, pruning_process

# Lemma 6's constant with its own proof's value: a kink of slope jump J at least a quarter of a
# bin's length l away from its ends forces an affine error of 3/32 J l or more (the paper: 1/16).
_KINK = 3.0 / 32.0
_MARGIN = 0.25
# T as a share of the bins: large enough to be seen, small enough to be met.
_CAP_SHARE = 4


@dataclass(frozen=True, eq=False)
class Processes:
    """The capped process and the (q,p,T)-chain on the draws of one run of the original process.

    Attributes:
        chain_law: the (q,p,T)-chain.
        capped: int64 [k + 1].
        chain: int64 [k + 1], coupled to the original step by step: chain <= min(B, T).
    """

    chain_law: Chain
    capped: IntArray
    chain: IntArray


@dataclass(frozen=True, eq=False)
class BinHistory:
    """Which bins are broken after each of k units.

    Attributes:
        bins: equal bins inside I_R.
        tolerance: R eps; a bin is broken when its best affine error exceeds it.
        errors: float64 [k + 1, bins], best affine error of g_S - f on each bin after s units.
        hit: int64 [k], the bin each unit bends in, -1 outside all.
        processes: None for the relu readout, where Definition 3 does not apply (one unit can
            change many bins), and where p + q > 1.
    """

    bins: Bins
    tolerance: float
    errors: FloatArray
    hit: IntArray
    processes: Processes | None

    @property
    def broken(self) -> np.ndarray:
        """bool [k + 1, bins]."""
        return self.errors > self.tolerance

    @property
    def counts(self) -> IntArray:
        """B_0, ..., B_k: int64 [k + 1]."""
        return self.broken.sum(axis=1)


def bin_history(units: ReLUNetwork, target: ReLUNetwork, family: int, eps: float) -> BinHistory:
    """The run of the original process on the units in their order, tolerance R eps."""
    bins = lay_bins(target, family, eps)
    tolerance = RADIUS * eps
    pair = kinks(units.hidden, units.output, [family])
    position = np.floor((pair.breakpoints[0] - bins.left) / bins.length)
    inside = (position >= 0) & (position < bins.count)
    hit = np.where(inside, position, -1).astype(np.int64)
    linear = units.readout == "linear"
    errors = []
    for step in range(units.width + 1):
        part = units.prefix(step)
        errors.append(
            bin_errors(part.hidden, part.output, target.hidden[0], family, bins)
            if linear
            else _errors(residual(part, target, family), bins)
        )
    processes = _processes(units, target, family, bins, tolerance) if linear else None
    return BinHistory(bins, tolerance, np.stack(errors), hit, processes)


def residual(units: ReLUNetwork, target: ReLUNetwork, family: int) -> PiecewiseLinear:
    """g - f along the family, on I_R."""
    half = interval(RADIUS)
    return restricted(units, family, half).minus(restricted(target, family, half))


def lay_bins(target: ReLUNetwork, family: int, eps: float) -> Bins:
    """Bins of length R eps / c, c = (3/32) |w*_{2i-1}|, at most the whole of I_R. The target's
    breakpoint, if inside, is in the middle of one unless it lies within half a bin of the end."""
    half = interval(RADIUS)
    slope, offset = target.hidden[0, 2 * family : 2 * family + 2]
    constant = _KINK * abs(float(slope))
    whole = 2.0 * half
    length = whole if constant * whole <= RADIUS * eps else RADIUS * eps / constant
    kink = -float(offset) / float(slope) if abs(offset) < half * abs(slope) else 0.0
    centred = kink - 0.5 * length
    left = centred - length * np.floor((centred + half) / length)
    if centred < -half:
        left = -half
    elif centred + length > half:
        left = half - length * np.floor(whole / length * (1.0 + 1e-12))
    left = max(left, -half)
    count = max(1, int((half - left) / length * (1.0 + 1e-12)))
    return Bins(float(left), float(length), count)


def _errors(function: PiecewiseLinear, bins: Bins) -> FloatArray:
    edges = bins.edges
    pieces = [function.within(edges[b], edges[b + 1]) for b in range(bins.count)]
    return np.array([affine_fit(piece.t, piece.values).error for piece in pieces])


def _processes(
    units: ReLUNetwork, target: ReLUNetwork, family: int, bins: Bins, tolerance: float
) -> Processes | None:
    path = pruning_process(
        units.hidden,
        units.output,
        target.hidden[0],
        family=family,
        bins=bins,
        tolerance=tolerance,
        keep_states=True,
    )
    cap = max(1, bins.count // _CAP_SHARE)
    # A steep, well-placed kink breaks any unbroken bin: 3/32 gamma length > 2 tolerance.
    gamma = 2.0 * tolerance / (_KINK * bins.length) * (1.0 + 1e-9)
    good = np.sort(bins.good_masses(gamma, _MARGIN))
    down = float(np.sort(bins.masses())[bins.count - cap :].sum()) * (1.0 + 1e-12)
    up = float(good[: bins.count - cap + 1].sum()) * (1.0 - 1e-12)
    if down + up > 1.0 or up <= 0.0:
        return None
    law = Chain(down, up, cap)
    pair = kinks(units.hidden, units.output, [family])
    coupled = couple(
        path,
        law,
        (pair.breakpoints[0], pair.jumps[0]),
        bins=bins,
        gamma=gamma,
        margin=_MARGIN,
        rng=np.random.default_rng(family),
    )
    return Processes(law, capped_process(path, cap), coupled.chain)
