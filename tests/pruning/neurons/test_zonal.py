"""The zonal bound on instances: its pieces against ball arithmetic, itself against exact optima and
certified tickets."""

import math

import numpy as np
import pytest
from flint import arb

import slth
from slth.limits import Deadline
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.zonal import angles_to, most_seen, zonal_bound
from slth.theory import ZonalMeasure
from slth.theory.arithmetic import precision
from slth.theory.zonal import profile_of


def bound_of(net, target):
    return zonal_bound(Problem(net, target), Deadline(60.0))


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
    angles, slack = angles_to(hidden, target)
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


@pytest.mark.parametrize("d", [3, 5])
def test_never_above_the_best_of_all_masks(d):
    width = 6
    masks = [[bool(k >> i & 1) for i in range(width)] for k in range(2**width)]
    for seed in range(3):
        net = slth.random_network(d, width, seed)
        rng = np.random.default_rng([seed, d])
        target = slth.neuron(rng.standard_normal(d), normalize=True)
        bound = bound_of(net, target)
        best = float(slth.certify_many(net, target, masks).upper.min())
        assert 0.02 * best < bound <= best


@pytest.mark.parametrize(("d", "width", "least"), [(3, 2000, 2e-3), (8, 2000, 1e-2)])
def test_below_certified_tickets_and_near_the_law(d, width, least):
    net = slth.random_network(d, width, 3)
    target = slth.neuron(np.arange(1.0, d + 1.0), normalize=True)
    solved = slth.prune_neurons(net, target, time_limit=5, seed=0)
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
    assert zonal_bound(Problem(net, target), Deadline(0.0)) == 0.0
