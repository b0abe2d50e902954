"""The independent checker: true claims verify, false ones are refused, the rest stays open."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth.certify import certify
from slth.check import check
from slth.ticket import Ticket
from slth.verdict import Outcome, Verdict
from tests.ticket_files import claim
from tests.ticket_oracles import root_above, squared_error


def exact_ticket(net, target, mask, **parts) -> Ticket:
    """d <= 2: the smallest true upper bound in float64."""
    upper = root_above(squared_error(net.pruned(mask), target))
    return claim(net, target, mask, 0.0, upper, **parts)


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {c.name: str(c.outcome) for c in verdict.claims}


def random_case(seed, d, readouts=("linear", "relu")):
    """A small network, a target and a mask of either kind; ties and zeros are common."""
    rng = np.random.default_rng(seed)
    width = int(rng.integers(0, 7))
    net = slth.random_network(d, width, seed, readouts[0])
    if rng.random() < 0.5:
        target = slth.neuron(rng.standard_normal(d), normalize=True)
    else:
        target = slth.random_network(d, int(rng.integers(0, 4)), seed + 1, readouts[1])
    if rng.random() < 0.3:
        net = slth.ReLUNetwork(np.round(net.hidden), np.round(2 * net.output), readouts[0])
        target = slth.ReLUNetwork(np.round(target.hidden), target.output, target.readout)
    keep = rng.random(width) < 0.7
    if rng.random() < 0.5:
        return net, target, slth.Mask.of_units(keep, d)
    return net, target, slth.Mask(rng.random((width, d)) < 0.7, keep)


READOUTS = [("linear", "linear"), ("linear", "relu"), ("relu", "linear"), ("relu", "relu")]


# Hand-computed anchors


def test_one_unit_against_the_target_at_a_right_angle():
    # relu(x) - relu(y) is largest, 1, at (1, 0); both readouts say the same.
    target = slth.neuron([0.0, 1.0])
    for readout in ("linear", "relu"):
        net = slth.ReLUNetwork([[1.0, 0.0]], [1.0], readout)
        mask = slth.Mask.of_units([True], 2)
        assert check(claim(net, target, mask, 1.0, 1.0, witness=[1.0, 0.0]))
        below = math.nextafter(1.0, 0.0)
        assert not check(claim(net, target, mask, 0.0, below))


def test_the_empty_mask_errs_by_one_and_scales_with_the_radius():
    net = slth.random_network(2, 3, 0)
    target = slth.neuron([0.0, 1.0])
    mask = slth.Mask.of_units([False] * 3, 2)
    assert check(claim(net, target, mask, 2.0, 2.0, witness=[0.0, 2.0], radius=2.0))
    assert not check(claim(net, target, mask, 0.0, 1.999, radius=2.0))


def test_a_linear_difference_attains_its_norm_inside_a_sector():
    # relu(t) - relu(-t) = t with t = 3x + 4y; minus relu(-x) it has norm 5 at (3, 4) / 5.
    net = slth.ReLUNetwork([[3.0, 4.0], [-3.0, -4.0]], [1.0, -1.0])
    target = slth.ReLUNetwork([[-1.0, 0.0]], [-1.0])
    mask = slth.Mask.of_units([True, True], 2)
    # At the other end: |-(3x + 4y) - relu(-x)| has gradient (-3 + 1, -4): norm sqrt(20) < 5.
    assert check(claim(net, target, mask, 0.0, 5.0))
    assert not check(claim(net, target, mask, 0.0, 4.999999999))


def test_the_relu_readout_cuts_a_sector_at_its_own_zero():
    # relu(x - y) against 0: |.| is largest at (1, -1) / sqrt 2, where x - y = sqrt 2.
    net = slth.ReLUNetwork(
        [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [1.0, -1.0, -1.0, 1.0], "relu"
    )
    target = slth.ReLUNetwork(np.zeros((0, 2)), np.zeros(0))
    mask = slth.Mask.of_units([True] * 4, 2)
    above = math.nextafter(math.sqrt(2.0), 2.0)
    assert check(claim(net, target, mask, 0.0, above))
    assert not check(claim(net, target, mask, 0.0, math.nextafter(math.sqrt(2.0), 0.0)))


# d = 1 and d = 2 against exact rationals


@pytest.mark.parametrize("readouts", READOUTS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), d=st.integers(1, 2))
def test_the_exact_rules_accept_the_supremum_and_nothing_below(readouts, seed, d):
    net, target, mask = random_case(seed, d, readouts)
    ticket = exact_ticket(net, target, mask)
    assert check(ticket)["upper"].outcome is Outcome.VERIFIED
    if ticket.error.upper > 0.0:
        lowered = claim(net, target, mask, 0.0, math.nextafter(ticket.error.upper, 0.0))
        assert check(lowered)["upper"].outcome is Outcome.REFUSED


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_extreme_weights_are_exact_too(scale):
    net = slth.random_network(2, 5, 4)
    net = slth.ReLUNetwork(net.hidden * scale, net.output)
    target = slth.ReLUNetwork([[5e-324, -scale]], [1.0])
    mask = slth.Mask.of_units([True] * 5, 2)
    ticket = claim(net, target, mask, 0.0, 100 * scale)
    assert check(ticket)
    assert not check(claim(net, target, mask, 0.0, 1e-3 * scale))


def test_the_sweep_takes_a_thousand_units():
    net, target = slth.random_network(2, 1000, 3), slth.neuron([0.6, 0.8])
    mask = slth.Mask.of_units(np.arange(1000) % 3 > 0, 2)
    error = certify(net.pruned(mask), target)
    solution = slth.Solution(mask, error, 0.0, slth.Status.FEASIBLE, net.pruned(mask))
    assert check(Ticket.from_solution(solution, net, target)).outcome is Outcome.VERIFIED
    upper = error.upper * (1 - 1e-9)
    assert not check(claim(net, target, mask, 0.0, upper))


# False tickets


def test_a_moved_witness_is_refused():
    net, target = slth.random_network(3, 4, 1), slth.neuron([1.0, 0.0, 0.0])
    mask = slth.Mask.of_units([True, False, True, False], 3)
    x = np.array([0.6, 0.0, 0.8]) * (1 - 2.0**-50)
    lower = float(abs(net.pruned(mask)(x) - target(x))) * (1 - 1e-12)
    good = claim(net, target, mask, lower, 1e3, witness=x)
    assert check(good)["lower"].outcome is Outcome.VERIFIED
    for moved in (x * 1.01, x * 0.99):
        verdict = check(claim(net, target, mask, lower, 1e3, witness=moved))
        assert verdict["lower"].outcome is Outcome.REFUSED
        assert not verdict
    raised = claim(net, target, mask, lower * (1 + 1e-9), 1e3, witness=x)
    assert check(raised)["lower"].outcome is Outcome.REFUSED


def test_an_upper_bound_below_the_witness_is_refused_in_any_dimension():
    net, target = slth.random_network(6, 4, 1), slth.neuron(np.eye(6)[0])
    mask = slth.Mask.of_units([True] * 4, 6)
    x = np.array([0.0, 0.6, 0.0, 0.8, 0.0, 0.0])
    value = float(abs(net(x) - target(x)))
    verdict = check(claim(net, target, mask, 0.0, value * 0.999, witness=x))
    assert verdict["upper"].outcome is Outcome.REFUSED


def test_a_flipped_mask_bit_and_a_changed_weight_are_refused_where_they_matter():
    target, false = slth.neuron([1.0, 0.0]), 0
    for seed in range(6):
        net = slth.random_network(2, 6, seed)
        keep = np.array([True, True, False, True, False, True])
        ticket = exact_ticket(net, target, slth.Mask.of_units(keep, 2))
        upper = ticket.error.upper
        changed = []
        for unit in range(6):
            flipped, hidden = keep.copy(), net.hidden.copy()
            flipped[unit] ^= True
            hidden[unit] *= 1.0 + 1e-9
            changed.append((net, slth.Mask.of_units(flipped, 2)))
            changed.append((slth.ReLUNetwork(hidden, net.output), ticket.mask))
        for other, mask in changed:
            true = squared_error(other.pruned(mask), target) <= Fraction(upper) ** 2
            assert bool(check(claim(other, target, mask, 0.0, upper))) is true
            false += not true
    assert false >= 15


def test_what_nothing_proves_is_not_covered():
    net, target = slth.random_network(4, 5, 1), slth.neuron(np.eye(4)[0])
    mask = slth.Mask.of_units([True] * 5, 4)
    verdict = check(claim(net, target, mask, 0.1, 1e3, bound=0.05))
    assert outcomes(verdict) == {
        "mask": "verified",
        "upper": "not covered",
        "lower": "not covered",
        "bound": "not covered",
    }
    assert not verdict
    assert verdict.outcome is Outcome.NOT_COVERED
    assert "solver-claimed" in str(verdict)


def test_a_status_is_only_as_good_as_the_claims_it_rests_on():
    net, target = slth.random_network(2, 4, 2), slth.neuron([1.0, 0.0])
    ticket = exact_ticket(net, target, slth.Mask.of_units([True] * 4, 2))
    upper, bound = ticket.error.upper, ticket.error.upper
    for status, eps, expected in [
        ("reached", upper, "verified"),
        ("reached", upper * 0.999, "refused"),
        ("reached", None, "not covered"),
        ("refuted", bound * 0.9, "not covered"),
        ("refuted", bound, "refused"),
        ("optimal", None, "not covered"),
    ]:
        mask = ticket.mask
        made = claim(net, target, mask, 0.0, upper, bound=bound, status=status, eps=eps)
        assert outcomes(check(made))["status"] == expected, (status, eps)
    wide = claim(net, target, ticket.mask, 0.0, upper, bound=0.9 * bound, status="optimal")
    assert outcomes(check(wide))["status"] == "not covered"
    low = claim(net, target, ticket.mask, 0.0, 0.9 * upper, status="reached", eps=upper)
    assert outcomes(check(low))["status"] == "refused"


# Weight tickets: the sum over the coordinates


def separable_case(seed, d, readout):
    """One incoming weight a unit, on every coordinate and side."""
    rng = np.random.default_rng(seed)
    width = 6 * d
    net = slth.random_network(d, width, seed, readout)
    hidden = np.zeros((width, d), dtype=bool)
    hidden[np.arange(width), rng.integers(0, d, width)] = True
    mask = slth.Mask(hidden, rng.random(width) < 0.7)
    return net, slth.neuron(rng.standard_normal(d), normalize=True), mask


def sup_squared(net, target, mask, a, b):
    """Squared supremum of a G + b <w, x> on the sphere, from the slopes along +e_k and -e_k."""
    total = Fraction(0)
    for k in range(net.d):
        steepest = Fraction(0)
        for side in (1, -1):
            slope = b * side * Fraction(float(target.hidden[0, k]))
            for i in range(net.width):
                weight = Fraction(float(net.hidden[i, k])) * side
                if mask.output[i] and mask.hidden[i, k] and weight > 0:
                    slope += a * Fraction(float(net.output[i])) * weight
            steepest = max(steepest, slope)
        total += steepest**2
    return total


@pytest.mark.parametrize("d", range(3, 9))
def test_the_sum_over_coordinates_covers_weight_tickets(d):
    for seed in range(5):
        net, target, mask = separable_case(seed, d, "relu")
        # relu(G) - relu(L) <= G - L and <= G where it is positive; the same with G and L swapped.
        upper = root_above(
            max(
                min(sup_squared(net, target, mask, 1, b) for b in (-1, 0)),
                min(sup_squared(net, target, mask, a, 1) for a in (-1, 0)),
            )
        )
        verdict = check(claim(net, target, mask, 0.0, upper))
        assert verdict.outcome is Outcome.VERIFIED
        assert verdict["mask"].statement == "it is a weight mask"
        lowered = check(claim(net, target, mask, 0.0, math.nextafter(upper, 0.0)))
        assert lowered["upper"].outcome is Outcome.NOT_COVERED
        points = np.random.default_rng(seed).standard_normal((2000, d))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        assert np.abs(net.masked(mask)(points) - target(points)).max() <= upper


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_the_sum_over_coordinates_never_accepts_less_than_a_sample(readout):
    rng = np.random.default_rng(8)
    for seed in range(40):
        net, target, mask = separable_case(seed, 3, readout)
        points = rng.standard_normal((500, 3))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        sampled = float(np.abs(net.masked(mask)(points) - target(points)).max())
        assert not check(claim(net, target, mask, 0.0, sampled * (1 - 1e-9)))


def test_a_unit_with_two_incoming_weights_is_not_a_sum_over_coordinates():
    net, target, mask = separable_case(0, 3, "relu")
    hidden = mask.hidden.copy()
    hidden[int(np.argmax(mask.output))] = True
    made = claim(net, target, slth.Mask(hidden, mask.output), 0.0, 1e3)
    assert check(made)["upper"].outcome is Outcome.NOT_COVERED


def test_a_neuron_claim_on_a_weight_mask_cannot_be_made():
    net, target, mask = separable_case(0, 3, "relu")
    ticket = claim(net, target, mask, 0.0, 1e3)
    with pytest.raises(slth.InvalidInput, match="kind does not fit"):
        dataclasses.replace(ticket, kind="neuron")
