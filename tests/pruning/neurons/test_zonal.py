"""The zonal bound on instances: its pieces against ball arithmetic, itself against exact optima and
certified tickets."""

import math

import numpy as np
import pytest
from flint import arb

import slth
from slth.limits import Deadline
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.zonal import zonal_bound
from slth.pruning.neurons.zonal.screening import ZonalBound
from slth.pruning.neurons.zonal.seen import Table, most_seen
from slth.pruning.neurons.zonal.setting import Setting
from slth.theory import ZonalMeasure
from slth.theory.arithmetic import precision
from slth.theory.zonal import profile_of


def bound_of(net, target):
    return zonal_bound(Problem(net, target), Deadline(60.0)).value


@pytest.mark.parametrize(("d", "m", "scale"), [(3, 4, 0.3), (4, 6, 0.1), (5, 6, 0.02), (9, 8, 0.4)])
def test_every_piece_holds_what_a_unit_sees(d, m, scale):
    with precision(160):
        measure = ZonalMeasure.spread(d, m, scale)
    profile = profile_of(measure, lambda left, right: 1.0, 1e-4)
    assert (profile.errors < 1e-4).all()
    rng = np.random.default_rng(d)
    angles = np.concatenate(
        [rng.uniform(0, math.pi / 2, 150), scale * rng.uniform(0, 2, 150), profile.edges[1:-1]]
    )
    angles = angles[angles <= math.pi / 2]
    cells = np.clip(np.searchsorted(profile.edges, angles) - 1, 0, profile.errors.shape[0] - 1)
    with precision(160):
        for angle, c in zip(angles.tolist(), cells.tolist(), strict=True):
            left, right = profile.edges[c], profile.edges[c + 1]
            y = (angle - 0.5 * (left + right)) / (0.5 * (right - left))
            value = float(np.polynomial.polynomial.polyval(y, profile.coefficients[c]))
            off = abs(float(measure.seen_at(angle) - arb(value)))
            assert off <= profile.errors[c] + 1e-15
            near = float(abs(measure.seen_at(angle) - measure.seen_at(angle * 0.999)))
            assert near <= 0.5 * angle * 0.001 + 1e-15


@pytest.mark.parametrize("d", [3, 7, 40])
def test_angles_are_within_their_slack(d):
    import mpmath

    rng = np.random.default_rng(d)
    target = rng.standard_normal(d) * 10.0 ** rng.integers(-8, 8)
    hidden = rng.standard_normal((20, d)) * 10.0 ** rng.integers(-8, 8, (20, 1))
    # Nearly aligned rows, where a cosine would lose half of the digits.
    hidden[:10] = target * rng.standard_normal((10, 1)) + 1e-9 * np.abs(target).max() * (
        rng.standard_normal((10, d))
    )
    net = slth.ReLUNetwork(hidden, np.ones(20))
    setting = Setting.of(Problem(net, slth.ReLUNetwork(target[None], [1.0])))
    assert setting is not None
    angles, slack = setting.to_target, setting.slack
    with mpmath.workdps(60):
        w = [mpmath.mpf(x) for x in target]
        length = mpmath.sqrt(mpmath.fsum(x * x for x in w))
        for row, angle in zip(hidden.tolist(), angles.tolist(), strict=True):
            v = [mpmath.mpf(x) for x in row]
            along = mpmath.fsum(x * y for x, y in zip(v, w, strict=True)) / length
            across = mpmath.sqrt(mpmath.fsum(x * x for x in v) - along * along)
            assert abs(mpmath.atan2(across, abs(along)) - angle) <= slack
    assert slack < 1e-12


def test_the_sum_is_rounded_outward():
    with precision(160):
        measure = ZonalMeasure.spread(4, 4, 0.5)
    profile = profile_of(measure, lambda left, right: 1.0, 1e-9)
    rng = np.random.default_rng(0)
    angles, alphas = rng.uniform(0, math.pi / 2, 500), rng.standard_normal(500)
    spent = most_seen(profile, angles, 0.0, alphas)
    with precision(160):
        exact = sum(
            max(0.0, float(arb(a) * measure.seen_at(x)))
            for a, x in zip(alphas.tolist(), angles.tolist(), strict=True)
        )
    assert exact <= spent <= exact + 500 * 1e-8


@pytest.mark.parametrize(("d", "width"), [(3, 400), (6, 3000)])
def test_the_table_holds_what_far_units_see(d, width):
    net = slth.random_network(d, width, 1)
    setting = Setting.of(Problem(net, slth.neuron(np.eye(d)[0])))
    assert setting is not None
    with precision(160):
        measure = ZonalMeasure.spread(d, 4, 0.3)
    profile = profile_of(measure, lambda left, right: 1.0, 1e-6)
    table = Table.of(profile, setting)
    for unit in range(3):
        axis = setting.rows[unit]
        alphas = np.where(np.arange(width) == unit, 0.0, setting.alphas)
        squares = np.sin(setting.angles_to(axis)) ** 2
        assert 0 < (squares < table.near).sum() < width / 2
        exact = most_seen(profile, setting.angles_to(axis), setting.slack, alphas)
        assert exact <= table.most_seen(setting, axis, alphas) <= 1.03 * exact
        # One unit at a time, of either sign: at the ends of cells too.
        for sign in (1.0, -1.0):
            for other in np.argsort(squares)[1::37]:
                one = np.where(np.arange(width) == other, sign, 0.0)
                angle = setting.angles_to(axis, np.array([other]))
                with precision(160):
                    value = max(0.0, sign * float(measure.seen_at(float(angle[0]))))
                assert value <= table.most_seen(setting, axis, one) <= value + 0.02


def test_cells_of_the_table_hold_their_ends():
    net = slth.random_network(4, 50, 0)
    setting = Setting.of(Problem(net, slth.neuron(np.eye(4)[0])))
    assert setting is not None
    with precision(160):
        measure = ZonalMeasure.spread(4, 4, 0.3)
    table = Table.of(profile_of(measure, lambda left, right: 1.0, 1e-6), setting)
    cells = np.arange(table.first, table.first + table.high.shape[0])
    for shift in (0.0, 0.5, 1.0 - 1e-9):
        ends = (cells << 44).view(np.float64)
        squares = np.minimum(1.0, ends + shift * ((cells + 1 << 44).view(np.float64) - ends))
        for square, high, low in zip(squares[::17], table.high[::17], table.low[::17], strict=True):
            with precision(160):
                value = float(measure.seen_at(min(math.asin(math.sqrt(square)), math.pi / 2)))
            assert -low <= value <= high


def least_errors(problem, direction, rng):
    """Every mask, and what each errs at least: its error at many points, on the target's kink and
    off it."""
    masks = np.array([[bool(k >> i & 1) for i in range(problem.width)] for k in range(2**8)])
    points = rng.standard_normal((4000, problem.d))
    points[2000:] -= np.outer(points[2000:] @ direction, direction) / (direction @ direction)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    residuals = masks @ problem.features(points).T - problem.target_values(points)
    return masks, np.abs(residuals).max(axis=1)


@pytest.mark.parametrize("d", [3, 4, 7])
@pytest.mark.parametrize("seed", range(6))
def test_no_good_mask_keeps_what_screening_dropped(d, seed):
    rng = np.random.default_rng([seed, d])
    direction = rng.standard_normal(d)
    hidden = rng.standard_normal((8, d))
    # Half of the units near the target's line, so that there is much to screen.
    hidden[:4] = rng.choice([-1.0, 1.0], (4, 1)) * direction + 0.2 * rng.standard_normal((4, d))
    net = slth.ReLUNetwork(hidden, 2.0 * rng.standard_normal(8))
    problem = Problem(net, slth.neuron(direction, normalize=True))
    found = zonal_bound(problem, Deadline())
    masks, errors = least_errors(problem, direction, rng)
    assert 0.0 < found.value <= errors.min()
    for reason in found.drops:
        assert errors[masks[:, reason.unit]].min() >= found.value


def test_screening_is_what_makes_the_bound_sharp():
    net, target = slth.random_network(5, 1000, 1), slth.neuron(np.eye(5)[0])
    found = zonal_bound(Problem(net, target), Deadline(60.0))
    # The measure about the target alone proves .0133.
    assert found.value > 0.017
    assert len(found.drops) > 20


@pytest.mark.parametrize("d", [3, 5])
def test_never_above_the_best_of_all_masks(d):
    for seed in range(3):
        rng = np.random.default_rng([seed, d])
        direction = rng.standard_normal(d)
        problem = Problem(slth.random_network(d, 8, seed), slth.neuron(direction, normalize=True))
        _, errors = least_errors(problem, direction, rng)
        best = float(errors.min())
        assert 0.02 * best < zonal_bound(problem, Deadline()).value <= best


@pytest.mark.parametrize(("d", "width", "least"), [(3, 300, 1e-2), (8, 1000, 1e-2)])
def test_below_certified_tickets_and_near_the_law(d, width, least):
    net = slth.random_network(d, width, 3)
    target = slth.neuron(np.arange(1.0, d + 1.0), normalize=True)
    solved = slth.prune_neurons(net, target, time_limit=2, seed=0)
    bound = bound_of(net, target)
    assert least <= bound <= solved.error.upper
    # Decided as soon as it is proven: the limit is far beyond what that takes.
    refuted = slth.prune_neurons(net, target, eps=0.9 * bound, time_limit=200, seed=0)
    assert refuted.status == "refuted"


def test_scaling_signs_and_what_is_not_its_business():
    net = slth.random_network(4, 200, 0)
    target = slth.neuron([1.0, 2.0, 0.0, -1.0], normalize=True)
    bound = bound_of(net, target)
    assert bound > 0.0
    twice = slth.ReLUNetwork(net.hidden, 2.0 * net.output)
    grown = slth.ReLUNetwork(2.0 * target.hidden, target.output)
    assert bound_of(twice, grown) == pytest.approx(2.0 * bound, rel=1e-3)
    turned = slth.ReLUNetwork(net.hidden, -net.output)
    negative = slth.ReLUNetwork(target.hidden, -target.output)
    assert bound_of(turned, negative) == pytest.approx(bound, rel=1e-9)
    # max(-max(<w, x>, 0), 0) is 0: no unit is needed.
    nothing = slth.ReLUNetwork(target.hidden, -target.output, "relu")
    assert bound_of(turned, nothing) == 0.0
    assert bound_of(slth.ReLUNetwork(net.hidden, net.output, "relu"), target) == 0.0
    flat = slth.random_network(2, 50, 0)
    assert bound_of(flat, slth.neuron([1.0, 0.0])) == 0.0
    assert zonal_bound(Problem(net, target), Deadline(0.0)) == ZonalBound(0.0)
