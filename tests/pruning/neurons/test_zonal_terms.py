"""Every term by which the zonal bound is rounded outward, each where nothing else hides it."""

import math
from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.zonal.screening import _difference, _keeping
from slth.pruning.neurons.zonal.seen import Table, most_seen
from slth.pruning.neurons.zonal.setting import Setting
from slth.theory.zonal import Profile

END = math.nextafter(math.pi / 2, 2.0)


def flat(*values, error=0.0, slope=0.0):
    """A profile of equal cells with these values in the middle, a slope in y and an error."""
    cells = len(values)
    coefficients = np.column_stack([values, np.full(cells, slope)])
    edges = np.append(np.arange(cells) * (math.pi / 2 / cells), END)
    return Profile(edges, coefficients, np.full(cells, error), 1.0)


def setting(d=4, width=60, seed=0):
    net = slth.random_network(d, width, seed)
    found = Setting.of(Problem(net, slth.neuron(np.eye(d)[0])))
    assert found is not None
    return found


def test_the_error_of_a_cell_is_paid_by_every_unit():
    angles, alphas = np.array([0.3, 1.2, 1.5]), np.array([1.0, -2.0, 0.5])
    assert most_seen(flat(0.0, error=0.1), angles, 0.0, alphas) >= 0.35
    assert most_seen(flat(-0.05, error=0.1), angles, 0.0, alphas) >= 0.375


def test_units_count_by_their_sign():
    angles, alphas = np.array([0.3, 0.4]), np.array([1.0, -2.0])
    assert most_seen(flat(0.5), angles, 0.0, alphas) == pytest.approx(0.5, rel=1e-9)
    assert most_seen(flat(-0.5), angles, 0.0, alphas) == pytest.approx(1.0, rel=1e-9)


def test_an_angle_may_be_off_by_its_slack():
    # I = theta/2, the steepest there is.
    profile = flat(math.pi / 8, slope=math.pi / 8)
    for angle in (0.2, 0.7, 1.1):
        spent = most_seen(profile, np.array([angle]), 0.1, np.array([1.0]))
        assert spent >= 0.5 * (angle + 0.1)


def test_the_rounding_of_a_place_in_its_cell_is_paid():
    profile = flat(0.5, slope=0.5)
    rng = np.random.default_rng(0)
    left, right = Fraction(0.0), Fraction(END)
    for angle in (1e-3 * rng.random(3000)).tolist():
        y = (2 * Fraction(angle) - left - right) / (right - left)
        exact = (1 + y) / 2
        spent = most_seen(profile, np.array([angle]), 0.0, np.array([1.0]))
        assert Fraction(spent) >= exact


def test_a_long_sum_is_rounded_outward():
    count, short = 200_000, 0
    for c in (0.1, 0.3, 0.7, 1.0 / 3.0, 0.9, 1.1):
        spent = most_seen(flat(1.0), np.full(count, 0.5), 0.0, np.full(count, c))
        exact = Fraction(c) * count
        naive = 0.0
        for _ in range(count):
            naive += c
        assert Fraction(spent) >= exact
        short += Fraction(naive) * (1 + Fraction(1, 10**14)) < exact
    # Without the slack of the sum some would be too small, whatever is paid for each term.
    assert short > 0


def test_the_table_pays_the_errors_of_cells_and_how_they_move():
    chosen = setting()
    table = Table.of(flat(0.0, 0.0, error=0.1), chosen)
    assert (table.high >= 0.1).all()
    assert (table.low >= 0.1).all()
    # I falls from .5 to -.5: each cell of the table holds its larger end.
    table = Table.of(flat(0.0, slope=-0.5), chosen)
    bits = np.arange(table.first, table.first + table.high.shape[0]) << 44
    squares = np.minimum(1.0, bits.view(np.float64))
    seen = 0.5 - np.arcsin(np.sqrt(squares)) / (math.pi / 2)
    assert (table.high >= seen).all()
    after = np.minimum(1.0, (bits + (1 << 44)).view(np.float64))
    assert (table.low >= np.arcsin(np.sqrt(after)) / (math.pi / 2) - 0.5).all()


def test_the_table_counts_units_by_their_sign():
    chosen = setting()
    axis = chosen.rows[0]
    alphas = np.where(np.arange(60) % 2 == 0, 1.0, -1.0)
    for value in (0.25, -0.25):
        spent = Table.of(flat(value), chosen).most_seen(chosen, axis, alphas)
        assert spent == pytest.approx(30 * 0.25, rel=1e-6)


def test_a_difference_allows_for_roundings_of_what_is_reached():
    total = 1.0
    assert Fraction(_difference(total, 0.0)) <= Fraction(total) * (1 - 8 * Fraction(1, 2**53))
    assert _difference(1.0, 2.0) == 0.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_unit_that_is_kept_meets_the_target_and_the_others(sign):
    # Two units of opposite signs near the target: against the first, of the target's sign, the
    # second and the target count, and itself does not.
    hidden = np.array([[1.0, 0.01, 0.0], [1.0, -0.01, 0.0], [1.0, 0.0, 0.01]])
    net = slth.ReLUNetwork(hidden, np.array([sign * 4.0, -1.0, 1.0]))
    chosen = Setting.of(Problem(net, slth.neuron([1.0, 0.0, 0.0])))
    assert chosen is not None
    reached = _keeping(chosen, 0, Table.of(flat(0.5), chosen))
    # 4 F - max(0, -s alpha_j I) - max(0, s I_target), F = 1, I = 1/2: the target is a unit of
    # strength -1 that is always there.
    spent = 0.5 * 1.0 + 0.5 * (1.0 if sign > 0 else 0.0)
    assert reached == pytest.approx(4.0 * np.linalg.norm(hidden[0]) - spent, rel=1e-3)
