"""The paper's own route to Theorem 1 with explicit constants: p0 = c1 c2 c3, q0, T (eq. 4),
Lemma 8, both sums of Lemma 9, eq. 1.

Two of its steps do not hold (see the audit): the product over families (Lemma 3) and the start
B_0 = 1 in every family. What is computed here is what the argument gives when they are granted, so
every result is CONDITIONAL; `covering` has the proven theorem.

Working with h = g_S - f, a bin is broken when its best affine error exceeds eps itself, so the
error constant C is 1 and the free constants are the bin length, gamma, the margin and T. A unit
that bends at least margin * length inside a bin fitted within eps, with |jump| >= gamma, breaks it
if gamma margin (1 - margin) length / 2 > 2 eps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slth.errors import InvalidInput, require_count, require_positive
from slth.theory.breakpoints import Bins, family_count, make_bins
from slth.theory.chains import Chain, lemma7_array
from slth.theory.result import (
    PAPER,
    Evidence,
    Statement,
    require_dimension,
    require_open_unit,
    require_radius,
)

_GRANTED = (
    "GRANTED, not proven: Lemma 3, the product over families (they share the output weights)",
    "GRANTED, false for most targets: B_0 = 1 in each of the floor(d/2) families",
    "linear readout; a ~ N(0, 1), w ~ N(0, I_d)",
)
# Sizes k summed one by one in Lemma 9 before the crude 2^N takes over.
_EXPLICIT = 200_000


@dataclass(frozen=True)
class Constants:
    """The constants of Section 5.5, spelled out.

    Attributes:
        bins: the partition of I_R.
        tolerance: best affine error above which a bin is broken.
        gamma, margin: what a steep, well-placed breakpoint is.
        cap: T.
        c1: fraction of a bin that is well placed, 1 - 2 margin, times the share 1 - T / bins of
            unbroken bins.
        c2: Pr(breakpoint in I_R) = (2/pi) arctan sqrt(R^2 - 1).
        c3: Pr(|a w| >= gamma), the product-normal tail.
        p0: lower bound on breaking a bin while fewer than T are broken, from the exact joint law
            of breakpoint and jump, the T - 1 likeliest bins being broken. NOT the product c1 c2 c3,
            which treats jump and breakpoint as independent.
        q0: upper bound on mending: Pr(breakpoint in the T likeliest bins).
    """

    bins: Bins
    tolerance: float
    gamma: float
    margin: float
    cap: int
    c1: float
    c2: float
    c3: float
    p0: float
    q0: float

    @property
    def chain(self) -> Chain:
        """The (q0, p0, T)-chain."""
        return Chain(self.q0, self.p0, self.cap)


def product_normal_tail(gamma: float) -> float:
    """Pr(|a w| >= gamma) for independent standard normals: (2/pi) int_gamma^inf K_0."""
    gamma = require_positive("gamma", gamma)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    angle = 0.25 * math.pi * (nodes + 1.0)
    # t = tan(angle) has density 2/pi on the half line, and |J| given t the tail exp(-gamma / cos).
    return float(0.5 * weights @ np.exp(-gamma / np.cos(angle)))


def constants(eps: float, radius: float, *, gamma: float, margin: float, share: float) -> Constants:
    """p0, q0, T for given free constants.

    Args:
        eps: error to refute, 0 < eps < 1.
        radius: R >= 2.
        gamma: least slope jump that counts.
        margin: least distance from the ends of a bin, as a fraction of it, in (0, 1/2).
        share: T as a fraction of the number of bins, in (0, 1).

    Raises:
        InvalidInput: also when the bins would be longer than I_R.
    """
    eps = require_open_unit("eps", eps)
    radius = require_radius(radius)
    gamma = require_positive("gamma", gamma)
    share = require_open_unit("share", share)
    if not 0.0 < margin < 0.5:
        raise InvalidInput(
            "margin out of range", got=margin, expected="0 < margin < 1/2", fix="Use 0.25."
        )
    length = 4.0 * eps / (gamma * margin * (1.0 - margin)) * (1.0 + 1e-9)
    bins = make_bins(radius, length)
    cap = max(1, int(share * bins.count))
    good = np.sort(bins.good_masses(gamma, margin))
    mass = np.sort(bins.masses())
    # Whichever T - 1 bins are broken, at least the mass of the least likely others is left.
    p0 = float(np.sum(good[: bins.count - cap + 1])) * (1.0 - 1e-12)
    q0 = float(np.sum(mass[bins.count - cap :])) * (1.0 + 1e-12)
    return Constants(
        bins=bins,
        tolerance=eps,
        gamma=gamma,
        margin=margin,
        cap=cap,
        c1=(1.0 - 2.0 * margin) * (1.0 - cap / bins.count),
        c2=2.0 / math.pi * math.atan(math.sqrt(radius * radius - 1.0)),
        c3=product_normal_tail(gamma),
        p0=p0,
        q0=q0,
    )


def lemma8(d: int, k: int, chosen: Constants) -> Statement:
    """log p_k <= floor(d/2) log Pr(B_k = 0), by Lemma 7 with constants. Conditional."""
    d = require_dimension(d)
    k = require_count("k", k, least=1)
    value = family_count(d) * float(lemma7_array(chosen.chain, np.array([k]))[0])
    return Statement(
        name="Lemma 8",
        value=value,
        meaning="log of the claimed upper bound on p_k",
        status=Evidence.CONDITIONAL,
        vacuous=value >= 0.0,
        assumptions=_GRANTED,
        source=f"{PAPER}, Lemmas 3, 4, 5, 7, 8",
        constants=_spelled(chosen),
    )


def lemma9(width: int, families: int, chain: Chain) -> tuple[float, float]:
    """Logs of the two sums of eq. 5, p_k = exp(families * lemma7(k)): sizes k < K one by one, and
    the rest as 2^N times the largest of its p_k.

    The paper splits at K = T; the chain needs T / rate steps to settle, so K is taken where the
    transient part of Lemma 7 falls below pi(0) (at most 200,000), which is never worse.
    """
    width = require_count("width", width, least=1)
    families = require_count("families", families, least=1)
    settled = 1.0 + max(0.0, -chain.log_stationary_zero) / chain.gap_rate
    split = int(min(max(settled, chain.cap), width + 1, _EXPLICIT))
    steps = np.arange(1, split, dtype=np.int64)
    first = -math.inf
    if steps.size:
        terms = _log_binomials(width, split - 1) + families * lemma7_array(chain, steps)
        first = float(np.logaddexp.reduce(terms)) + 1e-9
    second = -math.inf
    if width >= split:
        plateau = float(lemma7_array(chain, np.array([split]))[0])
        second = width * math.log(2.0) + families * plateau
    return first, second


def union_bound(log_p: NDArray[np.float64]) -> float:
    """Eq. 1: log of sum_{k=1}^{N} C(N, k) p_k from log p_1 .. log p_N."""
    width = log_p.shape[0]
    return float(np.logaddexp.reduce(_log_binomials(width, width) + log_p))


def route_width(d: int, eps: float, radius: float, delta: float) -> Statement:
    """The largest N for which the paper's argument, its two gaps granted, gives a failure
    probability <= delta, optimised over gamma, margin and T."""
    d = require_dimension(d)
    eps = require_open_unit("eps", eps)
    radius = require_radius(radius)
    delta = require_open_unit("delta", delta)
    families = family_count(d)
    best = 0
    spelled: dict[str, float] = {}
    for gamma in (0.2, 0.35, 0.5, 0.75, 1.0, 1.5):
        for margin in (0.1, 0.15, 0.2, 0.25):
            for share in (0.0025, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15):
                try:
                    chosen = constants(eps, radius, gamma=gamma, margin=margin, share=share)
                except InvalidInput:
                    continue
                if not chosen.p0 > chosen.q0:
                    continue
                width = _largest_width(families, chosen.chain, math.log(delta), best)
                if width > best:
                    best = width
                    spelled = _spelled(chosen)
    return Statement(
        name="Theorem 1, the paper's route",
        value=best,
        meaning="every subset of this many units errs by more than eps with probability "
        ">= 1 - delta, IF the granted steps held",
        status=Evidence.CONDITIONAL,
        vacuous=best < 1,
        assumptions=_GRANTED,
        source=f"{PAPER}, Theorem 1, eqs. 1 to 10",
        constants={"C": 1.0, "c": best * eps / d, **spelled},
    )


def _largest_width(families: int, chain: Chain, log_delta: float, known: int) -> int:
    def holds(width: int) -> bool:
        return float(np.logaddexp(*lemma9(width, families, chain))) <= log_delta

    if not holds(known + 1):
        return known
    low, high = known + 1, 2 * (known + 1)
    while holds(high):
        low, high = high, 2 * high
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _log_binomials(width: int, most: int) -> NDArray[np.float64]:
    """log C(width, k) for k = 1 .. most."""
    k = np.arange(1, most + 1)
    return np.cumsum(np.log(width - k + 1.0) - np.log(k))


def _spelled(chosen: Constants) -> dict[str, float]:
    return {
        "bin_length": chosen.bins.length,
        "bins": float(chosen.bins.count),
        "T": float(chosen.cap),
        "gamma": chosen.gamma,
        "margin": chosen.margin,
        "c1": chosen.c1,
        "c2": chosen.c2,
        "c3": chosen.c3,
        "c1c2c3": chosen.c1 * chosen.c2 * chosen.c3,
        "p0": chosen.p0,
        "q0": chosen.q0,
    }
