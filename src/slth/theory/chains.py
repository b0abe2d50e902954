"""The (q,p,T)-chain (Definition 4): exact law, exact rationals, hitting, decay, Lemma 7.

States 0..T; up with probability p below T, down with probability q above 0, else stay. It is
reversible with pi(b) proportional to (p/q)^b, and its symmetrised transition matrix has the
eigenvalue 1 and, for j = 1..T with theta_j = pi j / (T + 1),

    lambda_j = 1 - p - q + 2 sqrt(pq) cos theta_j,  v_j(b) = sin((b+1) theta) - kappa sin(b theta),

kappa = sqrt(q/p), |v_j|^2 = (T + 1)(1 - 2 kappa cos theta + kappa^2) / 2. Hence, exactly,

    Pr_1(B_k = 0) = pi(0) + kappa 2/(T+1) sum_j lambda_j^k sin^2 theta_j (2 cos theta_j - kappa)
                                                           / (1 - 2 kappa cos theta_j + kappa^2),

and, by Cauchy and Schwarz, Pr_1(B_k = 0) <= pi(0) + kappa lambda_1^k and Pr_0(B_k = 0) <= pi(0) +
lambda_1^k: Lemma 7 with every constant. For k << T the rate is -log(1 - (sqrt p - sqrt q)^2) a
step; for k >> T the probability settles at pi(0), about (q/p)^T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb
from numba import njit
from numpy.typing import NDArray

from slth.errors import InvalidInput, require_count
from slth.theory.arithmetic import log_sum_above, precision

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """A (q,p,T)-chain.

    Attributes:
        down: q, probability of a down move above 0.
        up: p, probability of an up move below T.
        cap: T >= 1.

    Raises:
        InvalidInput: a probability outside (0, 1), p + q > 1, T < 1.
    """

    down: float
    up: float
    cap: int

    def __post_init__(self) -> None:
        for name, value in (("down (q)", self.down), ("up (p)", self.up)):
            if not (isinstance(value, int | float | Fraction) and 0 < value < 1):
                raise InvalidInput(
                    f"{name} is not a probability",
                    got=repr(value),
                    expected="a number strictly between 0 and 1",
                    fix="Both kinds of move must be possible.",
                )
        if self.down + self.up > 1:
            raise InvalidInput(
                "p + q > 1",
                got=f"p = {self.up!r}, q = {self.down!r}",
                expected="p + q <= 1",
                fix="A step is one of up, down, stay; Lemma 5's coupling needs it too.",
            )
        require_count("T (cap)", self.cap, least=1)

    @property
    def kappa(self) -> float:
        """sqrt(q/p)."""
        return math.sqrt(float(self.down) / float(self.up))

    @property
    def log_stationary_zero(self) -> float:
        """log pi(0), pi(0) = (1 - q/p) / (1 - (q/p)^(T+1)) (q/p)^T."""
        x = math.log(float(self.down)) - math.log(float(self.up))
        n = self.cap + 1
        if abs(x) * n < 1e-9:
            return -math.log(n) + 0.5 * x * self.cap
        if x > 0.0:
            return math.log(math.expm1(-x) / math.expm1(-x * n))
        return x * self.cap + math.log(math.expm1(x) / math.expm1(x * n))

    @property
    def decay_rate(self) -> float:
        """-log(1 - (sqrt p - sqrt q)^2): rate per step of Pr(B_k = 0) for T infinite, p > q."""
        return -math.log1p(-((math.sqrt(self.up) - math.sqrt(self.down)) ** 2))

    @property
    def gap_rate(self) -> float:
        """-log lambda_1: rate per step at which the law of the capped chain settles."""
        return -math.log(self._eigenvalue(1))

    def _eigenvalue(self, j: int) -> float:
        p, q = float(self.up), float(self.down)
        return 1.0 - p - q + 2.0 * math.sqrt(p * q) * math.cos(math.pi * j / (self.cap + 1))


def law(chain: Chain, k: int, *, start: int = 1) -> FloatArray:
    """Law of B_k, float64 [T + 1]. No cancellation: relative error about 1e-16 k.

    Banded: only states that carry more than 1e-290 are touched, O(k^1.5) operations in all; what
    is dropped sums to less than 1e-280.
    """
    k = require_count("k", k, least=0)
    start = _require_start(chain, start)
    now = np.zeros(chain.cap + 1)
    now[start] = 1.0
    low = high = start
    done = 0
    while done < k:
        steps = min(2048, k - done)
        now, low, high = _step_law(now, float(chain.down), float(chain.up), steps, low, high)
        done += steps
    return now


def exact_law(chain: Chain, k: int, *, start: int = 1) -> list[Fraction]:
    """Law of B_k in exact rationals, T + 1 entries. The floats of the chain are exact numbers."""
    k = require_count("k", k, least=0)
    start = _require_start(chain, start)
    p, q = Fraction(chain.up), Fraction(chain.down)
    size = chain.cap + 1
    now = [Fraction(0)] * size
    now[start] = Fraction(1)
    for _ in range(k):
        following = [Fraction(0)] * size
        for b, mass in enumerate(now):
            if mass:
                rise = p if b < chain.cap else Fraction(0)
                fall = q if b > 0 else Fraction(0)
                following[b] += mass * (1 - rise - fall)
                if rise:
                    following[b + 1] += mass * rise
                if fall:
                    following[b - 1] += mass * fall
        now = following
    return now


def log_at_zero(chain: Chain, k: int, *, start: int = 1) -> float:
    """log Pr(B_k = 0) from the spectral formula, O(T), in ball arithmetic (start 0 or 1).

    The working precision is raised until the enclosure is tighter than 1e-15 of the value, so
    probabilities such as exp(-40000) come out right; -inf where the probability is 0.
    """
    k = require_count("k", k, least=0)
    if start not in (0, 1):
        raise InvalidInput(
            "start out of range", got=start, expected="0 or 1", fix="Use law() for other states."
        )
    if k < start:
        return -math.inf
    bits = 128
    while True:
        with precision(bits):
            value = _spectral(chain, k, start)
            if value > 0 and value.rel_accuracy_bits() > 53:
                return float(value.log().mid())
        bits *= 2


def hit_by(chain: Chain, k: int, *, start: int = 1) -> float:
    """Pr(B_s = 0 for some s <= k): the probability to have been at 0 at least once."""
    k = require_count("k", k, least=0)
    start = _require_start(chain, start)
    if start == 0:
        return 1.0
    now = np.zeros(chain.cap + 1)
    now[start] = 1.0
    return _step_absorbing(now, float(chain.down), float(chain.up), k)


def lemma7(chain: Chain, k: int, *, start: int = 1) -> float:
    """log of the upper bound pi(0) + kappa^start lambda_1^k >= Pr(B_k = 0), rounded up.

    Start 0 or 1; never above log 1 = 0.
    """
    k = require_count("k", k, least=0)
    if start not in (0, 1):
        raise InvalidInput(
            "start out of range", got=start, expected="0 or 1", fix="Lemma 7 starts at 0 or 1."
        )
    with precision(128):
        p, q = _ball(chain.up), _ball(chain.down)
        gap = 1 - p - q + 2 * (p * q).sqrt() * (arb(1) / (chain.cap + 1)).cos_pi()
        transient = k * gap.log() + start * (q / p).log() / 2
        return min(0.0, log_sum_above([_log_stationary(chain), transient]))


def lemma7_array(chain: Chain, steps: NDArray[np.int64], *, start: int = 1) -> FloatArray:
    """`lemma7` for many k at once in float64, each raised by 1e-12 (1 + |value|)."""
    transient = -chain.gap_rate * steps + start * math.log(chain.kappa)
    value = np.logaddexp(chain.log_stationary_zero, transient)
    return np.minimum(0.0, value + 1e-12 * (1.0 + np.abs(value)))


def chernoff_lemma7(chain: Chain, k: int) -> float:
    """log of the paper's own Lemma 7 bound with its Chernoff constants made explicit.

    Case k <= 2T/3: exp(-pk/8) + exp(-k KL(p/2 || q)), needing q < p/2 and T >= 3.
    Case k > 2T/3, with m = floor(2T/3): the same at k = m plus exp(-m KL(T/(3m) || q)).
    Start 1, or start 0 as the proof meets it in its second case.
    """
    k = require_count("k", k, least=0)
    p, q = float(chain.up), float(chain.down)
    if not q < p / 2:
        raise InvalidInput(
            "the paper's Lemma 7 needs q < p / 2",
            got=f"p = {p!r}, q = {q!r}",
            expected="q < p / 2",
            fix="Use lemma7, which needs no such condition.",
        )
    if chain.cap < 3:
        return 0.0
    m = 2 * chain.cap // 3
    n = min(k, m)
    terms = [-p * n / 8.0, -n * _divergence(p / 2.0, q)]
    if k > m:
        fraction = (chain.cap / 3.0) / m
        terms.append(-m * _divergence(fraction, q) if fraction > q else 0.0)
    return min(0.0, float(np.logaddexp.reduce(terms)))


def _divergence(x: float, y: float) -> float:
    """Kullback-Leibler divergence of Bernoulli(x) from Bernoulli(y)."""
    return x * math.log(x / y) + (1.0 - x) * math.log((1.0 - x) / (1.0 - y))


def _require_start(chain: Chain, start: object) -> int:
    value = require_count("start", start, least=0)
    if value > chain.cap:
        raise InvalidInput(
            "start above the cap", got=value, expected=f"0 .. {chain.cap}", fix="Raise T."
        )
    return value


def _ball(value: float | Fraction) -> arb:
    exact = Fraction(value)
    return arb(exact.numerator) / arb(exact.denominator)


def _log_stationary(chain: Chain) -> arb:
    p, q = _ball(chain.up), _ball(chain.down)
    if Fraction(chain.up) == Fraction(chain.down):
        return -arb(chain.cap + 1).log()
    ratio = q / p
    return ((1 - ratio) / (1 - ratio ** (chain.cap + 1))).log() + chain.cap * ratio.log()


def _spectral(chain: Chain, k: int, start: int) -> arb:
    p, q = _ball(chain.up), _ball(chain.down)
    kappa = (q / p).sqrt()
    product = 2 * (p * q).sqrt()
    stay = 1 - p - q
    size = chain.cap + 1
    total = arb(0)
    for j in range(1, size):
        cosine = (arb(j) / size).cos_pi()
        term = (stay + product * cosine) ** k * (1 - cosine * cosine)
        term /= 1 - 2 * kappa * cosine + kappa * kappa
        total += term * (2 * cosine - kappa) if start == 1 else term
    scale = kappa if start == 1 else arb(1)
    return _log_stationary(chain).exp() + scale * 2 * total / size


@njit(cache=True, nogil=True)
def _step_law(now, q, p, steps, low, high):
    """`steps` steps of the chain on the window low..high of states that carry mass."""
    top = now.shape[0] - 1
    rest = 1.0 - p - q
    old = now
    new = np.zeros(top + 1)
    for _ in range(steps):
        first = max(low - 1, 0)
        last = min(high + 1, top)
        for b in range(max(first, 1), min(last, top - 1) + 1):
            new[b] = rest * old[b] + p * old[b - 1] + q * old[b + 1]
        if first == 0:
            new[0] = (1.0 - p) * old[0] + q * old[1]
        if last == top:
            new[top] = (1.0 - q) * old[top] + p * old[top - 1]
        low = first
        high = last
        while low < high and new[low] < 1e-290:
            new[low] = 0.0
            low += 1
        while high > low and new[high] < 1e-290:
            new[high] = 0.0
            high -= 1
        # Whatever the spent buffer still holds outside the window must not come back.
        old[first : low + 1] = 0.0
        old[high : last + 1] = 0.0
        spent = old
        old = new
        new = spent
    return old, low, high


@njit(cache=True, nogil=True)
def _step_absorbing(now, q, p, steps):
    top = now.shape[0] - 1
    hit = 0.0
    high = top
    while high > 0 and now[high] == 0.0:
        high -= 1
    for _ in range(steps):
        hit += q * now[1]
        below = 0.0
        last = min(high + 1, top)
        for b in range(1, last + 1):
            own = now[b]
            stay = 1.0 - q - (p if b < top else 0.0)
            above = now[b + 1] if b < top else 0.0
            now[b] = stay * own + p * below + q * above
            below = own
        high = last
        while high > 1 and now[high] < 1e-290:
            now[high] = 0.0
            high -= 1
    return hit
