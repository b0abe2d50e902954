"""Widths that suffice: random subset sums with constants (Lueker; Pensia et al.), weight pruning
under the relu readout, and neuron pruning by an aligned cluster (paper.md note 6).

The subset-sum theorem used, proven in docs/theory/subset-sum.md. X_1, X_2, ... i.i.d. with a
density at least g on [-1, 1]. Let v_n be the measure of the z in [-1/2, 1/2] within eps/2 of the
sum of a subset of X_1..X_n (partial sums kept inside [-1/2, 1/2]). Then
E[v' | v] >= v + g v (1 - v) and v' <= min(2v, 1), so psi(v) = (1 - v)/v, convex and falling, obeys
E[psi(v') | v] <= (1 - g/2) psi(v), and by Markov

    Pr(some z in [-1/2, 1/2] is farther than eps from every subset sum)
        <= (1 - g/2)^n (1 - eps)(2 - eps) / eps^2.

Uniform on [-1, 1]: g = 1/2, so n >= log((1 - eps)(2 - eps) / (eps^2 delta)) / log(4/3) suffices.
Lueker (1998) and Pensia et al. (2020) prove O(log(1/eps)) without stating the constant.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from flint import arb

from slth.errors import InvalidInput, require_count, require_positive
from slth.theory.arithmetic import ceil_of, float_above, float_ball, precision
from slth.theory.result import Evidence, Statement, require_dimension, require_open_unit
from slth.theory.single import single_unit_sufficient_width

Samples = Literal["uniform", "product"]

_BITS = 96


def subset_sum_width(
    eps: float, delta: float, *, samples: Samples = "uniform", reach: float = 0.5
) -> Statement:
    """How many samples make every target in [-reach, reach] a subset sum within eps.

    Args:
        eps: tolerance, 0 < eps < reach.
        delta: allowed failure probability.
        samples: "uniform" on [-1, 1], or "product" of two independent standard normals.
        reach: largest |target|.
    """
    eps = require_positive("eps", eps)
    delta = require_open_unit("delta", delta)
    reach = require_positive("reach", reach)
    if samples not in get_args(Samples):
        raise InvalidInput(
            "unknown samples",
            got=repr(samples),
            expected="'uniform' or 'product'",
            fix="'product' is the law of a weight path a * w.",
        )
    if eps >= reach:
        raise InvalidInput(
            "eps out of range",
            got=f"eps = {eps!r}",
            expected=f"0 < eps < reach = {reach!r}",
            fix="The empty subset is already within reach of every target.",
        )
    with precision(_BITS):
        scale, density = _growth(samples, reach)
        value = _samples_needed(float_ball(eps) / scale, float_ball(delta), density)
    return Statement(
        name="random subset sum",
        value=value,
        meaning="samples that suffice for all targets in [-reach, reach] at once",
        status=Evidence.PROVEN,
        vacuous=False,
        assumptions=(f"samples i.i.d. {samples}", "probability >= 1 - delta"),
        source="this package, docs/theory/subset-sum.md; the law is Lueker 1998, "
        "Pensia et al. 2020 (arXiv 2006.07990), Corollary 1 (constants not stated there)",
        constants={
            "per_log2": 2.0 * math.log(2.0) / -math.log1p(-float(density.mid()) / 2.0),
            "scale": float(scale.mid()),
        },
    )


def subset_sum_needed(eps: float, *, reach: float = 0.5, share: float | None = None) -> Statement:
    """Counting: m subset sums are eps-dense in [-reach, reach] only if m eps >= reach. m = 2^n, or
    C(n, k) if exactly k = round(share n) of the n samples are taken (k-sparse tickets).

    Quantised samples do not change the count: it bounds exact hits of a grid of step 2 eps too.
    """
    eps = require_positive("eps", eps)
    reach = require_positive("reach", reach)
    needed = math.log2(reach / eps) - 1e-9
    if share is None:
        value = max(0, math.ceil(needed))
    else:
        share = require_open_unit("share", share)
        value = 0
        while needed > 0 and math.log2(math.comb(value, round(share * value))) < needed:
            value += 1
    return Statement(
        name="random subset sum, counting"
        + ("" if share is None else f", {share:g} of the samples"),
        value=value,
        meaning="samples needed before every target in [-reach, reach] can be within eps",
        status=Evidence.PROVEN,
        vacuous=value < 1,
        assumptions=("any samples",),
        source="counting; compare Pensia et al. 2020 (arXiv 2006.07990), Theorem 2"
        if share is None
        else "counting; the law is Natale et al. 2024 (arXiv 2410.14754)",
    )


def weight_pruning_width(d: int, eps: float, radius: float, delta: float) -> Statement:
    """Hidden units that suffice for weight pruning under the relu readout, any target.

    Units are given to coordinates in d blocks of n; a unit of block i keeps w_ji and a_j only and
    serves relu(x_i) if w_ji > 0 and relu(-x_i) otherwise. Two subset sums a coordinate, each seeing
    a sample a_j |w_ji| with probability 1/2, must reach w*_i and -w*_i within eps / (R sqrt d).
    Then the sum is within eps of <w*, x> on the ball, and relu is 1-Lipschitz.
    """
    d = require_count("d", d, least=1)
    eps = require_positive("eps", eps)
    radius = require_positive("radius", radius)
    delta = require_open_unit("delta", delta)
    with precision(_BITS):
        tolerance = float_ball(eps) / float_ball(radius) / arb(d).sqrt()
        if tolerance >= 1:
            per_coordinate = 0
            density = arb(0)
        else:
            scale, density = _growth("product", 1.0)
            density /= 2
            per_coordinate = _samples_needed(
                tolerance / scale, float_ball(delta) / (2 * d), density
            )
    return Statement(
        name="weight pruning",
        value=d * per_coordinate,
        meaning="hidden units that suffice for weight pruning with probability >= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=False,
        assumptions=(
            "relu readout; with the linear readout this construction approximates <w*, x>, "
            "not the neuron",
            "a ~ N(0, 1), w ~ N(0, I_d), any target of norm 1",
        ),
        source="this package, docs/theory/subset-sum.md; construction of Malach et al. 2020, "
        "Pensia et al. 2020, Orseau et al. 2020",
        constants={"per_coordinate": float(per_coordinate)},
    )


def axis_mask_width(eps: float, radius: float, delta: float) -> Statement:
    """Hidden units that suffice for weight pruning with a linear readout if w* lies on an axis.

    Masks keep w_j1 and a_j only: units with w_j1 > 0 give a_j |w_j1| relu(x_1), each sample seen
    with probability 1/2, and one subset sum must reach 1 within eps/R. Any d.
    """
    eps = require_positive("eps", eps)
    radius = require_positive("radius", radius)
    delta = require_open_unit("delta", delta)
    with precision(_BITS):
        tolerance = float_ball(eps) / float_ball(radius)
        value = 0
        if tolerance < 1:
            scale, density = _growth("product", 1.0)
            value = _samples_needed(tolerance / scale, float_ball(delta), density / 2)
    return Statement(
        name="weight pruning, target on an axis",
        value=value,
        meaning="hidden units that suffice for weight pruning with probability >= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=False,
        assumptions=("linear or relu readout", "w* = +-e_1", "a ~ N(0, 1), w ~ N(0, I_d)"),
        source="this package, docs/theory/subset-sum.md",
    )


def neuron_pruning_sufficient_width(d: int, eps: float, radius: float, delta: float) -> Statement:
    """Width at which neuron pruning provably succeeds (paper.md note 6): the smaller of one unit
    kept, and a subset sum among the units within angle phi of w*.

    In the cluster, |a_j||w_j| <= s and at most n units are kept, so turning them all onto w* costs
    at most R n s phi; with n from the subset-sum theorem at tolerance eps / (2R) and
    phi = eps / (2 R n s) both parts are eps/2. The width is the least N at which n of N units fall
    in the cap with probability >= 1 - delta/2.
    """
    d = require_dimension(d)
    eps = require_positive("eps", eps)
    radius = require_positive("radius", radius)
    delta = require_open_unit("delta", delta)
    alone = single_unit_sufficient_width(d, eps, radius, delta)
    cluster, angle, members = _cluster_width(d, eps / radius, delta)
    value = min(alone.value, cluster)
    return Statement(
        name="neuron pruning, aligned cluster",
        value=value,
        meaning="units at which some subset is within eps with probability >= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=False,
        assumptions=("a ~ N(0, 1), w ~ N(0, I_d)", "linear or relu readout"),
        source="this package, docs/theory/cluster.md",
        constants={
            "one_unit": alone.value,
            "cluster": cluster,
            "cluster_angle": angle,
            "cluster_members": float(members),
        },
    )


def _growth(samples: Samples, reach: float) -> tuple[arb, arb]:
    """The scale s >= 2 reach and a lower bound g on the density of X / s on [-1, 1]."""
    scale = 2 * float_ball(reach)
    if samples == "uniform":
        # X / s has density s/2 on [-1/s, 1/s], which covers [-1, 1] for s <= 1 only: s = 1.
        if reach > 0.5:
            raise InvalidInput(
                "reach too large for uniform samples",
                got=f"reach = {reach!r}",
                expected="reach <= 1/2",
                fix="The theorem moves within [-reach, reach] by steps of up to 2 reach <= 1.",
            )
        return arb(1), arb(1) / 2
    best_scale, best = scale, scale * scale.bessel_k(arb(0)) / arb.pi()
    optimum = float_ball(0.595)
    if scale < optimum:
        best_scale, best = optimum, optimum * optimum.bessel_k(arb(0)) / arb.pi()
    return best_scale, best


def _samples_needed(eps: arb, delta: arb, density: arb) -> int:
    odds = (1 - eps) * (2 - eps) / (eps * eps)
    needed = (odds / delta).log() / -((1 - density / 2).log())
    return max(0, ceil_of(needed))


def _cluster_width(d: int, relative: float, delta: float) -> tuple[float, float, int]:
    best = (math.inf, 0.0, 0)
    if relative >= 2.0:
        return (0.0, math.pi, 0)
    with precision(_BITS):
        nu = arb(d - 1) / 2
        norm = (2 * arb.pi()).sqrt() * arb(2) ** (arb(d) / 2 - 1) * (arb(d) / 2).gamma()
        for factor in (1.0, 1.25, 1.5, 2.0, 3.0):
            s = arb(2) * float_ball(factor)
            density = s * s**nu * s.bessel_k(nu) / norm
            tolerance = float_ball(relative) / 2
            members = _samples_needed(tolerance / s, float_ball(delta) / 2, density)
            angle = tolerance / (members * s)
            sine = angle.sin()
            cap = (sine * sine).beta_lower(nu, arb(1) / 2, regularized=1) / 2
            width = _trials_for(members, cap, float_ball(delta) / 2)
            if width < best[0]:
                best = (width, float(angle.mid()), members)
    return best


def _trials_for(successes: int, chance: arb, delta: arb) -> float:
    """N with Pr(Binomial(N, chance) < successes) <= delta, by Chernoff.

    Pr(Bin <= (1 - u) mu) <= exp(-mu u^2 / 2): mu = m + l + sqrt(l^2 + 2 l m), l = log(1/delta).
    """
    m = arb(successes)
    log_term = -delta.log()
    mean = m + log_term + (log_term * log_term + 2 * log_term * m).sqrt()
    return float_above((mean / chance).upper().ceil())
