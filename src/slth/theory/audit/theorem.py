"""Audit of Lemmas 3, 8, 9, 10, Theorem 1, the readout and the later version's claim."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from slth.theory.audit.line import AuditLine, Finding
from slth.theory.breakpoints import make_bins
from slth.theory.broken import _kinks_error  # pyright: ignore[reportPrivateUsage]
from slth.theory.chains import log_at_zero
from slth.theory.covering import covering_failure, covering_width
from slth.theory.refuted import max_refuted_width
from slth.theory.route import Constants, constants, lemma9, route_width
from slth.theory.single import cap_probability, log_cap_probability, success_by_chance
from slth.theory.widths import weight_pruning_width
from slth.theory.zonal import universal_constant

_LOG10 = math.log(10.0)
# eps of the row that refutes Lemmas 3 and 8.
_DEEP_EPS = 2e-5


def lemma_3(rng: np.random.Generator) -> AuditLine:
    """The product refuted in high dimension; where it breaks, measured on two families."""
    bins = make_bins(2.0, 1.7)
    target, tolerance = np.full(4, 0.5), 0.06
    rows, ratios, sound = [], [], True
    outer, inner = 20_000, 24
    for k in (1, 2, 3):
        output = np.repeat(rng.standard_normal((outer, k)), inner, axis=0)
        hidden = rng.standard_normal((outer * inner, k, 4))
        zero = _unbroken(hidden, output, target, bins.left, bins.length, bins.count, tolerance)
        first, second = zero[:, 0].reshape(outer, inner), zero[:, 1].reshape(outer, inner)
        joint_each = (first & second).mean(axis=1)
        joint = float(joint_each.mean())
        product = float(first.mean() * second.mean())
        # Unbiased for E[P1(a) P2(a)]: pairs of different inner draws.
        s1, s2 = first.sum(axis=1), second.sum(axis=1)
        conditional_each = (s1 * s2 - (first & second).sum(axis=1)) / (inner * (inner - 1.0))
        conditional = float(conditional_each.mean())
        spread = float((joint_each - conditional_each).std()) / math.sqrt(outer)
        sound &= abs(joint - conditional) <= 5.0 * spread + 1e-12
        ratios.append(joint / product)
        rows.append(
            f"k = {k}: joint {joint:.2e}, product {product:.2e}, "
            f"given a {conditional:.2e} (joint/product {joint / product:.2f})"
        )
    d, k, deep = _deep()
    # Families that start unbroken are zero more often: the product of Lemma 3 is at most this.
    product = (d // 2) * log_at_zero(deep.chain, k, start=0)
    proven = success_by_chance(d, k, _DEEP_EPS, 2.0)
    return AuditLine(
        "Lemma 3: p_k <= Pr(B_k = 0)^floor(d/2)",
        f"d = {d:,}, eps = {_DEEP_EPS}, k = {k:,}: the product, from above by the exact chain, and "
        f"p_k, "
        f"from below; and two families' joint probability at d = 4, tolerance {tolerance}, "
        f"{outer * inner:,} draws",
        Finding.FALSE,
        f"log10 of the product <= {product / _LOG10:,.0f}, log10 p_k >= {proven / _LOG10:,.0f}. "
        f"The "
        f""
        "step that fails is independence: " + "; ".join(rows) + " (at d = 4 p_k itself obeys the "
        "product: other errors bind there)",
        "p_k <= E_a[prod_i Pr(B_i = 0 | a)]: the families are independent given a",
        sound and min(ratios) > 1.05 and proven > product,
    )


def lemma_8_one_unit(rng: np.random.Generator) -> AuditLine:
    """k = 1, families where the target does not bend: no exponential decay in d."""
    del rng
    eps, length = 0.01, 0.2
    bins = make_bins(2.0, length)
    a, weight = _half_normal_nodes()
    broken = _break_probability(a, bins.left, bins.length, bins.count, eps)
    rows = []
    for families in (4, 24, 249, 2499):
        spared = float(weight @ np.exp(families * np.log1p(-broken)))
        product = families * math.log1p(-float(weight @ broken)) / _LOG10
        single = log_cap_probability(2 * families, eps / 2.0) / _LOG10
        rows.append(f"{families}: {spared:.3f}, 10^{product:.1f}, p_1 <= 10^{single:.0f}")
    deep = float(weight @ np.exp(2499 * np.log1p(-broken)))
    return AuditLine(
        "Lemma 8 at k = 1: p_1 <= exp(-Omega(d))",
        f"D families that start at 0, d = 2D, eps = {eps}, bins {length}, R = 2: Pr(one unit "
        f"breaks "
        f""
        "no bin) = E_a[(1 - p(a))^D], the product of the proof, and p_1 by the cap law of Lemma "
        f"10",
        Finding.TRUE,
        "D = "
        + "; ".join(rows)
        + ": a small |a| spares every family at once, so broken bins alone "
        ""
        "give no decay in d; the cap law does",
        "p_1 <= Pr(angle of w to w* <= arcsin(eps/R))",
        deep > 1e-3 and log_cap_probability(4998, eps / 2.0) < -4998.0,
    )


def _deep() -> tuple[int, int, Constants]:
    """d, k and the chain at which a fixed network's chance beats the product over families."""
    chosen = constants(_DEEP_EPS, 2.0, gamma=1.0, margin=0.2, share=0.04)
    return 200_000, 20 * chosen.cap, chosen


def lemma_8_by_chance(rng: np.random.Generator) -> AuditLine:
    """The claimed bound on p_k against a proven lower bound on p_k."""
    del rng
    d, k, chosen = _deep()
    eps, radius = _DEEP_EPS, 2.0
    claimed = (d // 2) * log_at_zero(chosen.chain, k)
    proven = success_by_chance(d, k, eps, radius)
    return AuditLine(
        "Lemma 8: p_k <= exp(-Omega(min(k, T) d))",
        f"d = {d:,}, eps = {eps}, k = 20 T = {k:,}: claimed upper bound from the exact chain, and "
        "a proven lower bound (one unit does the work, the others are tiny)",
        Finding.FALSE,
        f"claimed log10 p_k <= {claimed / _LOG10:,.0f}, proven log10 p_k >= "
        f"{proven / _LOG10:,.0f}: no product k d in the true exponent",
        "p_k >= exp(-O(d log(R/eps) + k log(k d R/eps))); Theorem 1 by covering instead",
        proven > claimed,
    )


def lemma_9(rng: np.random.Generator) -> AuditLine:
    """Both sums, granted Lemma 8, at the largest width the paper's route gives."""
    del rng
    d, eps, delta = 200, 0.0005, 0.05
    bound = route_width(d, eps, 2.0, delta)
    c = bound.constants
    chosen = constants(
        eps, 2.0, gamma=c["gamma"], margin=c["margin"], share=(c["T"] + 0.5) / c["bins"]
    )
    first, second = lemma9(int(bound.value), d // 2, chosen.chain)
    total = float(np.logaddexp(first, second))
    return AuditLine(
        "Lemma 9, eq. 1: both sums are exp(-Omega(d))",
        f"both sums with Lemma 8 granted against delta; d = {d}, eps = {eps}, delta = {delta}: "
        f"largest N = {bound.value:.0f}, T = {c['T']:.0f}, "
        f"p0 = {c['p0']:.3f}, q0 = "
        f"{c['q0']:.3f}",
        Finding.OPEN,
        f"log sums {first:.1f} and {second:.1f}, together <= log delta = {math.log(delta):.1f}; "
        f"N = {c['c']:.4f} d/eps. The split at k = T must move to k = T/rate: at k = T the chain "
        "has not settled and 2^N p_T is too large",
        "split where kappa lambda^k < pi(0), and Lemma 8, which is false as stated; whether the "
        "sums "
        ""
        "are small all the same is open",
        total <= math.log(delta) + 1e-6 and bound.value >= 1,
    )


def theorem_1_small_eps(rng: np.random.Generator) -> AuditLine:
    """eps <= c/(2d): the zonal bound gives Theorem 1 with its own failure probability."""
    del rng
    rows, logs = [], []
    for d in (10, 20, 40, 80):
        eps = universal_constant(d) / (2.0 * d)
        # N = d / eps and (d eps / c)^(d-1) = 2^(1-d).
        log_chance = math.log(d / eps) - (d - 1) * math.log(2.0)
        rows.append(f"d = {d}, eps <= {eps:.2g}: {log_chance / _LOG10:.1f}")
        logs.append(log_chance)
    rates = [-(b - a) / d for a, b, d in zip(logs, logs[1:], (10, 20, 40), strict=False)]
    return AuditLine(
        "Theorem 1, eps < c/d",
        "log10 of the proven failure probability N (d eps/c)^(d-1) (Theorem A) at N = d/eps",
        Finding.TRUE,
        "; ".join(rows) + "; in fact N >= p (c/(d eps))^(d-1) with probability 1 - p",
        "measures symmetric about w* (docs/theory/zonal.md); C = 1",
        min(rates) > 0.5 and logs[-1] < -40.0,
    )


def theorem_1_large_eps(rng: np.random.Generator) -> AuditLine:
    """eps > c/d: proven at constant failure probability, and covering against simulation."""
    rows = []
    for d, eps in ((3, 0.01), (10, 0.01), (100, 0.01), (1000, 0.01)):
        bound = max_refuted_width(d, eps, 2.0, 0.05)
        argument = bound.name.removeprefix("Theorem 1, ")
        rows.append(f"({d}, {eps}): N = {float(bound.value):.3g} ({argument})")
    eps, width, trials = 0.05, 12, 4_000
    half = math.tan(2.0 * math.atan(2.0 * eps / 2.0))
    covered = sum(_circle_covered(rng, width, half) for _ in range(trials)) / trials
    claimed = covering_failure(3, width, eps, 2.0)
    error = math.sqrt(covered * (1.0 - covered) / trials)
    return AuditLine(
        "Theorem 1, eps > c/d",
        f"(d, eps) at R = 2, delta = 0.05, C = 1; d = 3, N = {width}, eps = {eps}: Pr(all covered) "
        f"simulated {covered:.4f} +- {error:.4f}, proven bound {claimed:.4f}",
        Finding.OPEN,
        "; ".join(rows) + " (proven, at that constant failure probability)",
        "true with constant failure probability; with the paper's own, exp(-Omega(d)), proven here "
        "for "
        "N = Omega(1/eps) only",
        covered <= claimed + 4.0 * error,
    )


def lemma_10(rng: np.random.Generator) -> AuditLine:
    """The exact cap law against simulation, d = 2..50, and the paper's half-angle 2 eps."""
    trials, worst = 200_000, 0.0
    for d in (2, 3, 5, 10, 20, 50):
        eps = 0.9 if d > 5 else 0.3
        w = rng.standard_normal((trials, d))
        cosine = w[:, 0] / np.linalg.norm(w, axis=1)
        hits = float(np.mean((cosine > 0.0) & (1.0 - cosine * cosine <= eps * eps)))
        exact = cap_probability(d, eps)
        worst = max(worst, abs(hits - exact) / math.sqrt(exact * (1.0 - exact) / trials))
    slope = [
        math.log(cap_probability(d, 1e-3) / cap_probability(d, 1e-4)) / math.log(10.0)
        for d in (3, 10)
    ]
    ratio = cap_probability(10, math.sin(0.02)) / cap_probability(10, 0.01)
    return AuditLine(
        "Lemma 10: keep one unit, (C eps)^(c(d-1))",
        f"exact cap of half-angle arcsin eps against {trials:,} draws, d = 2..50",
        Finding.HOLDS,
        f"largest deviation {worst:.1f} standard errors; exponent c = 1 (measured "
        f"{slope[0] / 2:.3f} at d = 3, {slope[1] / 9:.3f} at d = 10); the paper's half-angle 2 eps "
        f"loses a factor {ratio:.0f} at d = 10",
        "",
        worst < 4.5,
    )


def readout(rng: np.random.Generator) -> AuditLine:
    """With a linear readout weight pruning meets the same obstacle, for targets off the axes."""
    eps, radius, trials = 1e-4, 2.0, 2_000
    width = int(weight_pruning_width(2, eps, radius, 0.05).value)
    # w* = (1, 1)/sqrt 2: masks send a unit's kink to the axes or leave it; the arc around the
    # target's kink, at 45 degrees, holds neither axis.
    half = 2.0 * math.atan(2.0 * eps / radius)
    w = rng.standard_normal((trials, width, 2))
    angle = np.arctan2(w[..., 1], w[..., 0]) % math.pi
    free = float(np.mean((np.abs(angle - math.pi / 4.0) > half).all(axis=1)))
    exact = (1.0 - 2.0 * half / math.pi) ** width
    return AuditLine(
        "O(d log(1/eps)) for weight pruning, in the network of Theorem 1 (linear readout)",
        f"d = 2, w* = (1,1)/sqrt 2, eps = {eps}, N = {width} units (enough for weight pruning with "
        "the relu readout)",
        Finding.FALSE,
        f"linear readout: in {100 * free:.0f} % of {trials:,} draws (exact {100 * exact:.0f} %) "
        "every weight mask errs by more than eps, since no unit bends near the target",
        "true with a relu on the output; with the linear readout weight masks need (c/eps)^(d-1) "
        "units "
        "as neurons do, unless w* is nearly sparse (docs/theory/masks.md)",
        abs(free - exact) < 5.0 * math.sqrt(exact * (1.0 - exact) / trials),
    )


def version_3(rng: np.random.Generator) -> AuditLine:
    """The abstract of v3 claims Omega(1/eps) without the factor d."""
    del rng
    delta, eps = 1e-6, 0.001
    widths = []
    for d in (20, 100, 400):
        bound = covering_width(d, eps, 2.0, delta)
        widths.append((d, bound.constants["orthonormal_points"]))
    listed = "; ".join(f"d = {d}: N = {width * eps:.2f}/eps" for d, width in widths)
    return AuditLine(
        "Abstract of v3 (June 2026), its lower half: Omega(1/eps)",
        f"d - 1 orthonormal points of the target's hyperplane, eps = {eps}, delta = {delta}",
        Finding.HOLDS,
        f"Omega(1/eps) proven with exponentially small failure probability: {listed}",
        "the O(log 1/eps) half, without the factor d, is not examined here",
        all(width * eps > 0.1 for _, width in widths),
    )


def _half_normal_nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights for E over |a|, a ~ N(0, 1), fine near 0."""
    edges = np.concatenate([[0.0], np.geomspace(1e-6, 8.0, 120)])
    x, w = np.polynomial.legendre.leggauss(8)
    a = (edges[:-1, None] + np.diff(edges)[:, None] * 0.5 * (x + 1.0)).ravel()
    weight = (np.diff(edges)[:, None] * 0.5 * w).ravel()
    return a, weight * math.sqrt(2.0 / math.pi) * np.exp(-0.5 * a * a)


def _break_probability(
    a: NDArray[np.float64], left: float, length: float, count: int, tolerance: float
) -> NDArray[np.float64]:
    """Pr(a unit with that |a| breaks an affine bin): the jump needed at x is
    2 length tolerance / (x (length - x)), and |w_{2i}| given t is Rayleigh / sqrt(1 + t^2)."""
    x, w = np.polynomial.legendre.leggauss(24)
    inside = 0.5 * length * (x + 1.0)
    t = (left + length * np.arange(count))[:, None] + inside
    needed = 2.0 * length * tolerance / (inside * (length - inside))
    density = (0.5 * length * w) / (math.pi * (1.0 + t * t))
    power = 0.5 * needed * needed * (1.0 + t * t)
    return np.array([float(np.sum(density * np.exp(-power / (s * s)))) for s in a])


def _circle_covered(rng: np.random.Generator, width: int, half: float) -> bool:
    """Whether `width` random bands |<z, x>| <= half |w_1| cover the unit circle of R^2."""
    z = rng.standard_normal((width, 2))
    ratio = half * np.abs(rng.standard_normal(width)) / np.linalg.norm(z, axis=1)
    if (ratio >= 1.0).any():
        return True
    middle = (np.arctan2(z[:, 1], z[:, 0]) + math.pi / 2.0) % math.pi
    reach = np.arcsin(ratio)
    start = np.concatenate([middle - reach - math.pi, middle - reach, middle - reach + math.pi])
    end = start + 2.0 * np.tile(reach, 3)
    order = np.argsort(start)
    at = 0.0
    for i in order:
        if start[i] > at:
            break
        at = max(at, end[i])
    return bool(at >= math.pi)


@njit(cache=True, nogil=True)
def _unbroken(hidden, output, target, left, length, count, tolerance):
    """Whether no bin is broken: bool [draws, families] for hidden [draws, k, 2 families]."""
    draws, k, d = hidden.shape
    result = np.empty((draws, d // 2), dtype=np.bool_)
    kink = np.empty(k + 1)
    jump = np.empty(k + 1)
    t = np.empty(k + 3)
    y = np.empty(k + 3)
    work = np.empty(2 * k + 6, dtype=np.int64)
    for m in range(draws):
        for i in range(d // 2):
            fine = True
            for b in range(count):
                u = left + b * length
                n = 0
                for j in range(k + 1):
                    slope = hidden[m, j, 2 * i] if j < k else target[2 * i]
                    offset = hidden[m, j, 2 * i + 1] if j < k else target[2 * i + 1]
                    if slope == 0.0:
                        continue
                    s = -offset / slope
                    if s < u or s >= u + length:
                        continue
                    size = output[m, j] * abs(slope) if j < k else -abs(slope)
                    at = n
                    while at > 0 and kink[at - 1] > s:
                        kink[at] = kink[at - 1]
                        jump[at] = jump[at - 1]
                        at -= 1
                    kink[at] = s
                    jump[at] = size
                    n += 1
                if n and _kinks_error(kink[:n], jump[:n], n, u, u + length, t, y, work) > tolerance:
                    fine = False
                    break
            result[m, i] = fine
    return result
