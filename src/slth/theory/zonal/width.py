"""Widths at which neuron pruning provably fails, by measures that are symmetric about the target.

For a signed measure mu on the unit ball of total variation 1 and every z in [0, 1]^N at once,

    sup |g_z - f| >= int f dmu - sum_i max(0, alpha_i int relu(<v_i, .>) dmu),

and for mu spread evenly over the spheres of latitude +-t_k the expected sum is
N E|alpha| E|I(theta)| / 2. So Pr(some subset is within eps) <= N E|alpha| E|I| / (2 (F - eps)) by
Markov, F = sum mu_k t_k / 2. No union bound is taken. Proof: docs/theory/zonal.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from flint import arb

from slth.errors import require_positive
from slth.theory.arithmetic import float_ball, floor_of, precision
from slth.theory.result import Evidence, Statement, require_dimension, require_open_unit
from slth.theory.zonal.closed_form import theorem_a
from slth.theory.zonal.latitudes import angle_mass, mean_size
from slth.theory.zonal.measure import ZonalMeasure, programmed

_BITS = 128
# Where the best k of (.33 / (k eps))^(k-1) lies: a guess that only chooses the measure.
_BEST_PRODUCT = 0.33 / math.e
# Largest dimension whose quadrature is tried (its cost grows like the cube: 4 s here).
_MOST = 20
# Log of the width beyond which the program's float64 coefficients lose the cancellation.
_MOST_PROGRAMMED = math.log(1e11)
# Points of the sum that compares measures before one is bounded rigorously.
_GUESSES = 40


def zonal_width(d: int, eps: float, radius: float = 1.0, delta: float = 0.05) -> Statement:
    """The largest proven N at which, with probability >= 1 - delta over the draw, every z in
    [0, 1]^N (so every subset of the units) errs by more than eps on the ball of that radius.

    The better of the closed form (Theorem A) and the same inequality with the unit sphere's own
    measure, its expectation bounded by interval quadrature; each in the best dimension k <= d.
    N grows like (c / (d eps))^(d-1) for eps below c/d, like e^(c/eps) above.

    Args:
        d: input dimension, >= 2.
        eps: error to refute, > 0.
        radius: radius of the ball, > 0.
        delta: allowed failure probability.

    Returns:
        A Statement; `constants` has the widths of both routes, k and m.

    Raises:
        InvalidInput: d < 2, eps or radius not positive, delta outside (0, 1).
    """
    d = require_dimension(d)
    eps = require_positive("eps", eps)
    radius = require_positive("radius", radius)
    delta = require_open_unit("delta", delta)
    relative = math.nextafter(eps / radius, math.inf)
    with precision(_BITS):
        closed, k, m = theorem_a(d, float_ball(relative), relative, float_ball(delta))
        candidates = {"closed form": floor_of(closed)}
    names = {"closed form": f"closed form, dimension {k}, degree {m}"}
    if d > 2:
        bound = _numeric(min(d, _MOST), relative, delta, candidates["closed form"])
        candidates["interval quadrature"] = bound.width
        names["interval quadrature"] = (
            f"interval quadrature, dimension {bound.dimension}, measure by {bound.measure}"
        )
    route = max(candidates, key=lambda name: candidates[name])
    value = candidates[route]
    return Statement(
        name="zonal bound",
        value=value,
        meaning="every subset of this many units errs by more than eps with probability "
        ">= 1 - delta",
        status=Evidence.PROVEN,
        vacuous=value < 1,
        assumptions=(
            "linear readout",
            "a ~ N(0, 1), w ~ N(0, I_d); every z in [0, 1]^N, so every subset",
            "target max(<w*, x>, 0), ||w*|| = 1",
            f"route: {names[route]}",
        ),
        source="this package, docs/theory/zonal.md (Theorem A)",
        constants={
            f"log10_{name.replace(' ', '_')}": math.log10(width)
            for name, width in candidates.items()
            if width > 0
        },
    )


@dataclass(frozen=True)
class _Numeric:
    width: int
    dimension: int
    measure: str


@dataclass(frozen=True, order=True)
class _Guess:
    """A measure by its recipe, ordered by the log of the width it promises."""

    promise: float
    k: int
    m: int
    scale: float


@lru_cache(maxsize=128)
def _numeric(d: int, relative: float, delta: float, known: int) -> _Numeric:
    """The best measure among the guesses, bounded rigorously unless it promises less than is
    known."""
    peak = _BEST_PRODUCT / relative
    dimensions = {max(3, min(d, round(f * peak))) for f in (0.5, 0.7, 1.0, 1.3)}
    guesses = [
        _guess(k, m, scale, relative)
        for k in sorted(dimensions)
        for m in sorted({max(4, k + k % 2 + more) for more in (-2, 0, 2)})
        for scale in _scales(k, m, relative)
    ]
    best = max(guesses, default=_Guess(-math.inf, 3, 4, 0.5))
    spent = known > 0 and best.promise + math.log(delta) < math.log(known)
    if best.promise == -math.inf or (spent and best.promise > _MOST_PROGRAMMED):
        return _Numeric(0, best.k, "none")
    with precision(_BITS + 6 * best.m):
        measure, name = ZonalMeasure.spread(best.k, best.m, best.scale), "divided difference"
        program = None
        if best.promise < _MOST_PROGRAMMED:
            program = programmed(best.k, relative, best.scale, math.exp(best.promise))
        if program is not None and math.log(program[0]) > best.promise:
            measure, name = ZonalMeasure.of(best.k, *program[1:]), "linear program"
        margin = measure.total - float_ball(relative)
        if not margin > 0:
            return _Numeric(0, best.k, name)
        expected = mean_size(best.k) * float_ball(measure.mean_seen()) / 2
        return _Numeric(floor_of(float_ball(delta) * margin / expected), best.k, name)


def _scales(k: int, m: int, relative: float) -> list[float]:
    """Latitudes at which F - eps is near its best, eps / (k - 1) on the flat sphere."""
    with precision(_BITS + 6 * m):
        unit = float(ZonalMeasure.spread(k, m, 0.5).total) / 0.5
    flat = relative * k / ((k - 1) * unit)
    return [f * flat for f in (0.95, 1.0, 1.1) if f * flat < 1.0]


def _guess(k: int, m: int, scale: float, relative: float) -> _Guess:
    """About the log of the width, from a plain sum over angles."""
    with precision(_BITS + 6 * m):
        measure = ZonalMeasure.spread(k, m, scale)
        margin = float(measure.total) - relative
        if margin <= 0.0:
            return _Guess(-math.inf, k, m, scale)
        step = math.log(math.pi / (0.1 * scale)) / _GUESSES
        expected = arb(0)
        for i in range(_GUESSES):
            angle = 0.05 * scale * math.exp((i + 0.5) * step)
            seen = abs(measure.seen_at(angle))
            expected += seen * float_ball(angle).sin() ** (k - 2) * (angle * step)
        # E|I| = (2/W) int, times E|alpha| / 2.
        expected *= mean_size(k) / angle_mass(k)
        return _Guess(math.log(margin) - float(expected.log()), k, m, scale)
