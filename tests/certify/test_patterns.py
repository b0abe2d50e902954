"""Sign patterns in NumPy: enclosures hold the exact supremum, and small problems close."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth.certify import patterns
from slth.certify.patterns import enclose_patterns
from slth.certify.problem.objective import COMBINATIONS
from slth.certify.request import Request
from slth.certify.unit_pair import UnitPair
from slth.limits import Deadline

from .oracles import difference_squared, objective, supremum_squared
from .test_soundness_relu import FAMILIES, network

READOUTS = sorted(COMBINATIONS)


def enclosed(net, target, rtol=1e-6, eps=None, deadline=None):
    """Bounds on the unit ball, of the pair at ordinary scale, and that pair."""
    pair = UnitPair.of(net, target)
    return pair, *enclose_patterns(pair, Request(rtol, eps, deadline or Deadline()))


def drawn(generator, width, d, readouts, family):
    hidden, output = family(generator, width, d)
    half = len(output) // 2
    return (
        network(hidden[:half], output[:half], readouts[0]),
        network(hidden[half:], output[half:], readouts[1]),
    )


@pytest.mark.parametrize("readouts", READOUTS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(4))
def test_bounds_hold_the_exact_supremum(readouts, family, seed):
    net, target = drawn(np.random.default_rng(seed), 8, 3, readouts, family)
    pair, lower, upper, witness = enclosed(net, target)
    exact = difference_squared(pair.net, pair.target)
    assert Fraction(lower) ** 2 <= exact <= Fraction(upper) ** 2
    if witness is not None:
        assert sum(Fraction(t) ** 2 for t in witness.tolist()) <= 1


@pytest.mark.parametrize("readouts", READOUTS)
@pytest.mark.parametrize(("d", "width"), [(3, 16), (4, 16), (8, 12), (30, 16), (200, 30)])
def test_small_problems_close(readouts, d, width):
    closed = 0
    for seed in range(3):
        net = slth.random_network(d, width, seed, readouts[0])
        target = slth.random_network(d, 4, seed + 50, readouts[1])
        pair, lower, upper, witness = enclosed(net, target)
        closed += upper - lower <= 1e-6 * upper
        assert 0.0 < lower <= upper
        x = np.random.default_rng(0).standard_normal((2000, d))
        x = np.vstack([x / np.linalg.norm(x, axis=1)[:, None], witness])
        assert np.abs(pair.net(x) - pair.target(x)).max() <= upper * (1 + 1e-12)
    assert closed >= 2


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_ties_of_small_integers(data):
    d, width = data.draw(st.integers(3, 5)), data.draw(st.integers(1, 5))
    entry = st.integers(-2, 2)
    row = st.lists(entry, min_size=d, max_size=d).filter(any)
    hidden = np.array(data.draw(st.lists(row, min_size=width, max_size=width)), float)
    output = np.array(data.draw(st.lists(entry, min_size=width, max_size=width)), float)
    _, lower, upper, _ = enclosed(network(hidden, output), network(np.zeros((0, d)), []))
    exact = max(supremum_squared(objective(sign * output, hidden)) for sign in (1.0, -1.0))
    assert Fraction(lower) ** 2 <= exact <= Fraction(upper) ** 2


def problem_of(seed, readouts=("relu", "relu"), width=6, d=4):
    net = slth.random_network(d, width, seed, readouts[0])
    target = slth.random_network(d, width, seed + 9, readouts[1])
    rows = np.array(COMBINATIONS[readouts][-1], float)
    return patterns._Problem.of(UnitPair.of(net, target), rows)


@pytest.mark.parametrize("seed", range(4))
def test_every_bound_on_the_way_holds_for_all_signs_that_are_left(seed):
    """Whatever lambda and tau are: descending changes the bound, not its truth."""
    problem, generator = problem_of(seed), np.random.default_rng(seed)
    points = generator.standard_normal((4000, 4))
    points /= np.linalg.norm(points, axis=1)[:, None]
    front = patterns._Front.of(problem)
    for fixed in range(len(problem.convex) + 1):
        front.share = generator.uniform(0.0, 1.0, len(front))
        front.tau = generator.uniform(-1.0, 1.0, front.tau.shape)
        for descended in (False, True):
            if descended:
                front.descend(problem)
            vectors = front.vectors(problem)
            uppers = problem.above(vectors, np.linalg.norm(vectors, axis=1), fixed)
            inner = points @ problem.convex[fixed:].T
            falling = np.abs(points @ problem.concave.T)
            left = np.abs(inner)
            two = points @ front.base.T + (left @ problem.rising[fixed:])[:, None]
            two -= (falling @ problem.falling)[:, None]
            more = points @ front.more.T + (left @ problem.rising_more[fixed:])[:, None]
            more -= (falling @ problem.falling_more)[:, None]
            values = two + np.minimum(more, 0.0)
            assert (values.max(axis=0) <= uppers).all()
        if fixed < len(problem.convex):
            front = front.with_sign_of(problem, fixed)


def test_what_is_left_of_units_is_their_largest_sum():
    units = np.random.default_rng(0).standard_normal((12, 3))
    rest = patterns._rest(units)
    for k in range(13):
        signs = np.array(list(itertools.product([-1.0, 1.0], repeat=12 - k)))
        largest = np.linalg.norm(signs @ units[k:], axis=1).max() if k < 12 else 0.0
        if 12 - k <= patterns._TRIED:
            assert rest[k] == pytest.approx(largest, rel=1e-12)
        assert rest[k] >= largest * (1 - 1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_rounding_is_paid_for_where_networks_cancel(seed):
    generator = np.random.default_rng(seed)
    hidden, output = generator.standard_normal((5, 3)), generator.standard_normal(5)
    near = hidden * (1.0 + 2.0**-52 * generator.integers(-2, 3, hidden.shape))
    pair, lower, upper, _ = enclosed(network(hidden, output), network(near, output))
    exact = difference_squared(pair.net, pair.target)
    assert Fraction(lower) ** 2 <= exact <= Fraction(upper) ** 2


def test_thresholds_end_the_search_and_bounds_stay_true():
    net, target = slth.random_network(5, 14, 1), slth.random_network(5, 14, 2)
    _, lower, upper, _ = enclosed(net, target)
    for eps in (0.5 * lower, 0.999 * lower):
        _, reached, above, _ = enclosed(net, target, eps=eps)
        assert eps < reached <= upper <= above * (1 + 1e-12)
    _, _, above, _ = enclosed(net, target, eps=1.2 * upper)
    assert lower <= above <= 1.2 * upper


def test_what_a_passed_limit_leaves_is_true():
    net, target = slth.random_network(6, 16, 1), slth.random_network(6, 16, 2)
    _, lower, upper, _ = enclosed(net, target)
    _, early, late, _ = enclosed(net, target, deadline=Deadline(1e-9))
    assert early <= upper
    assert late >= lower


def test_too_many_patterns_are_left_to_others(monkeypatch):
    net, target = slth.random_network(3, 16, 1), slth.random_network(3, 16, 2)
    _, lower, upper, _ = enclosed(net, target)
    monkeypatch.setattr(patterns, "_MOST_PATTERNS", 4)
    _, below, above, _ = enclosed(net, target)
    assert below <= upper
    assert above >= lower
    # The door goes on with its other engines.
    answer = slth.certify(net, target)
    assert answer.status == "closed"
    assert answer.lower <= upper
    assert answer.upper >= lower


def test_a_fresh_process_answers_without_compiling_an_engine():
    """Of the compiled code only the value at a point is needed."""
    from slth import compiling

    net, target = slth.random_network(7, 9, 4), slth.neuron(np.eye(7)[0])
    slth.certify(net, target)
    told = []
    compiling.tell(told.append)
    try:
        slth.certify(slth.random_network(6, 11, 4), slth.neuron(np.eye(6)[0]))
    finally:
        compiling._listeners.remove(told.append)
    assert told == []
