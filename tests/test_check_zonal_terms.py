"""Every term by which the checker of zonal proofs rounds outward, where nothing else hides it."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb, ctx

import slth
from slth.latitudes import Load, Moments, Steps, _cell, _rings, moments, steps
from slth.zonal_check import _reaches, _spent, _Units

BITS = 160


class Measured:
    """A measure of which only the sums matter."""

    def __init__(self, total, variation):
        self.total, self.variation = total, variation


def seen(t, theta):
    """M in d = 4, where it is elementary: P = q/2, Q = (1 - q^2)/4."""
    with mpmath.workdps(60):
        t, theta = mpmath.mpf(t), mpmath.mpf(theta)
        s = mpmath.sqrt(1 - t * t)
        q = min(mpmath.mpf(1), t * mpmath.cot(theta) / s) if theta else mpmath.mpf(1)
        flat = mpmath.cos(theta) * t * q / 2
        return flat + mpmath.sin(theta) * s * (1 - q * q) / 4


def exactly(value):
    mantissa, exponent = value.mid().man_exp()
    return mpmath.mpf(int(mantissa)) * mpmath.mpf(2) ** int(exponent)


@pytest.mark.parametrize(
    ("t", "left", "right"),
    [(0.9, 0.0, 0.8), (0.3, 0.6, 1.2), (0.3, 0.2, 0.5), (0.0, 0.5, 1.0), (0.3, 0.35, 0.45)],
    ids=["before its kink", "beyond its kink", "over its kink", "no kink", "near its kink"],
)
def test_a_cell_pays_for_what_its_polynomial_leaves(t, left, right):
    before = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = BITS, 14
    try:
        cell = _cell(_rings(4, [t], [1.0]), left, right)
        error = exactly(arb(cell.error.upper()))
        with mpmath.workdps(60):
            middle = (mpmath.mpf(left) + mpmath.mpf(right)) / 2
            half = (mpmath.mpf(right) - mpmath.mpf(left)) / 2
            worst = mpmath.mpf(0)
            for y in np.linspace(-1, 1, 81).tolist():
                value = mpmath.polyval([exactly(a) for a in reversed(cell.polynomial)], y)
                worst = max(worst, abs(value - seen(t, middle + half * mpmath.mpf(y))))
            # The remainder is there, far above the balls' own radii, and is paid.
            assert worst > mpmath.mpf(10) ** -40
            assert worst <= error
    finally:
        ctx.prec, ctx.cap = before


def test_steps_hold_what_coarse_cells_leave():
    load = Load(lambda left, right: 1.0, 1.0)
    found = steps(4, [0.3, 0.6], [1.0, -0.5], load, 1e9, 1)
    for theta in np.linspace(1e-3, 1.57, 400).tolist():
        value = float(seen(0.3, theta) - seen(0.6, theta) / 2)
        places = np.searchsorted(found.sines, [np.sin(theta) - 1e-14, np.sin(theta) + 1e-14]) - 1
        places = np.clip(places, 0, found.low.shape[0] - 1)
        assert found.low[places].min() <= value <= found.high[places].max()


def test_moments_are_rounded_to_the_safe_side():
    latitudes, weights = [0.1, 0.7, 1 / 3], [0.3, -0.1, 1 / 7]
    total = sum(Fraction(w) * Fraction(t) / 2 for t, w in zip(latitudes, weights, strict=True))
    found = moments(latitudes, weights)
    assert Fraction(found.total) <= total
    assert Fraction(found.variation) >= sum(abs(Fraction(w)) for w in weights)
    assert found == pytest.approx(Moments(float(total), sum(map(abs, weights))), rel=1e-12)


def units(sines, sizes, signs):
    rows = np.column_stack([np.sqrt(1 - np.square(sines)), sines, np.zeros(len(sines))])
    return _Units(rows, np.array(sizes, float), np.array(signs, float))


@pytest.mark.parametrize("values", [(1.0, 0.0), (0.0, 1.0)])
def test_a_unit_at_the_end_of_a_cell_may_lie_in_either(values):
    table = Steps(np.array([0.0, 0.5, 1.0]), -np.array(values), np.array(values))
    none, axis = np.zeros(1, np.bool_), np.array([1.0, 0.0, 0.0])
    for sine in (0.5, 0.5 - 2.0**-53, 0.5 + 2.0**-52):
        for sign in (1.0, -1.0):
            spent = _spent(table, units([sine], [3.0], [sign]), axis, np.array([sign]), none)
            assert spent.most >= 3.0


def test_the_checkers_sum_is_rounded_outward():
    table = Steps(np.array([0.0, 1.0]), np.array([0.0]), np.array([1.0]))
    axis, none = np.array([1.0, 0.0, 0.0]), np.zeros(999, np.bool_)
    rng = np.random.default_rng(0)
    for _ in range(40):
        sizes = rng.random(999)
        many = units(np.full(999, 0.3), sizes, np.ones(999))
        spent = _spent(table, many, axis, many.signs, none)
        assert Fraction(spent.most) >= sum(map(Fraction, sizes.tolist()))


def test_what_is_left_out_is_left_out_and_signs_choose_the_side():
    table = Steps(np.array([0.0, 1.0]), np.array([-0.25]), np.array([0.5]))
    axis = np.array([1.0, 0.0, 0.0])
    pair = units([0.3, 0.4], [2.0, 8.0], [1.0, -1.0])
    none = np.zeros(2, np.bool_)
    assert _spent(table, pair, axis, pair.signs, none).most == pytest.approx(1.0 + 2.0)
    first = np.array([True, False])
    assert _spent(table, pair, axis, pair.signs, first).most == pytest.approx(2.0)
    assert _spent(table, pair, axis, -pair.signs, none).most == pytest.approx(0.5 + 4.0)


def test_a_step_that_only_just_reaches_is_not_believed():
    even = Measured(1.0, 1.0)
    assert not _reaches(1.0, 0.0, even, 1.0)
    assert not _reaches(1.0, 0.5, even, 0.5)
    assert _reaches(1.0, 0.5, even, 0.5 * (1 - 1e-14))
    assert not _reaches(1.0, 0.0, even, 0.0)
    # What is reached is held times the total, what is needed is wanted times the variation.
    assert not _reaches(1.0, 0.0, Measured(1.0, 2.0), 0.6)
    assert _reaches(1.0, 0.0, Measured(2.0, 2.0), 0.9)


def test_sizes_and_least_sizes_enclose_the_norm():
    rng = np.random.default_rng(3)
    hidden, output = rng.standard_normal((50, 5)), rng.standard_normal(50)

    found = _Units.of(slth.ReLUNetwork(hidden, output))
    for i in range(50):
        with mpmath.workdps(50):
            norm = mpmath.sqrt(mpmath.fsum(mpmath.mpf(x) ** 2 for x in hidden[i].tolist()))
            size = norm * abs(mpmath.mpf(float(output[i])))
            assert mpmath.mpf(found.least(i)) < size < mpmath.mpf(float(found.sizes[i]))
