"""Certificates and prover bounds against every mask, in exact arithmetic where it counts."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slth.limits import Deadline
from slth.pruning.neurons.dual import Certificate, certified_bound
from slth.pruning.neurons.kink import kink_certificate
from slth.pruning.neurons.problem import Problem, onto_sphere, random_sphere
from slth.pruning.neurons.relaxation import relax
from slth.pruning.neurons.witness import witness_bound
from tests.pruning.neurons.brute import all_masks, instance, least_error


def exact_error_at(problem, keep, point):
    """|rho(g_keep(x)) - f(x)| as a fraction."""

    def value(net, kept):
        total = Fraction(0)
        for i in np.flatnonzero(kept):
            inner = sum(
                (Fraction(w) * Fraction(x) for w, x in zip(net.hidden[i], point, strict=True)),
                Fraction(0),
            )
            total += Fraction(net.output[i]) * max(inner, Fraction(0))
        return max(total, Fraction(0)) if net.readout == "relu" else total

    target = problem.target
    return abs(value(problem.net, keep) - value(target, np.ones(target.width, bool)))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    d=st.integers(1, 5),
    readout=st.sampled_from(["linear", "relu"]),
    count=st.integers(1, 6),
    cutoff=st.sampled_from([0.05, 0.3, 2.0]),
)
def test_no_mask_errs_less_than_a_certificate_says(seed, d, readout, count, cutoff):
    """Any multipliers at all: at its points some exact error of every mask reaches the bound."""
    rng = np.random.default_rng(seed)
    problem = Problem(*instance(5, d, seed, readout))
    points = onto_sphere(rng.standard_normal((count, d)))
    assert all(sum(Fraction(x) ** 2 for x in point) <= 1 for point in points)
    certificate = Certificate(points, rng.choice([-1.0, 1.0], count), rng.random(count))
    dropped, kept = rng.random((2, 5)) < 0.2
    kept &= ~dropped
    bound = certified_bound(problem, certificate, cutoff=cutoff, dropped=dropped, kept=kept)
    for keep in all_masks(5):
        if (keep & dropped).any() or (kept & ~keep).any():
            continue
        worst = max(exact_error_at(problem, keep, point) for point in points)
        assert worst >= Fraction(bound)


def test_certificate_of_one_kink_is_lemma_2():
    # No units: the bound of a kink of jump 1 at tangents (t, t) is sin(a) / (2 (1 + cos(a))).
    net, target = instance(0, 2, 0)
    normal = target.hidden[0]
    x0 = np.array([-normal[1], normal[0]])
    for angle in (0.01, 0.3, 1.2):
        reach = np.tan(angle)
        bound = certified_bound(
            Problem(net, target), kink_certificate(x0, normal, reach, reach, -1.0)
        )
        assert bound == pytest.approx(np.sin(angle) / (2 * (1 + np.cos(angle))), rel=1e-9)
        assert bound >= angle / 4 * (1 - 1e-9)


@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("units", [1, 3])
def test_witness_holds_for_every_mask(d, units):
    positive = 0
    for seed in range(4):
        net, target = instance(6, d, seed, units=units)
        bound, certificate = witness_bound(
            Problem(net, target), np.random.default_rng(0), Deadline(10)
        )
        assert bound <= least_error(net, target)[1]
        positive += bound > 0.0
        if certificate is not None:
            assert certified_bound(Problem(net, target), certificate) == bound
    assert positive > 0


def test_witness_says_nothing_for_the_relu_readout():
    problem = Problem(*instance(5, 2, 0, "relu"))
    assert witness_bound(problem, np.random.default_rng(0), Deadline(10)) == (0.0, None)


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_relaxation_holds_for_every_mask_and_beats_its_sample(d, readout):
    for seed in range(4):
        net, target = instance(7, d, seed, readout)
        lower, upper, _ = least_error(net, target)
        problem = Problem(net, target)
        rng = np.random.default_rng(seed)
        relaxed = relax(problem, rng, Deadline(10), cutoff=0.7 * lower)
        assert 0.0 <= relaxed.bound <= upper
        # The fractional optimum attains no less than the bound somewhere on the sphere.
        points = np.concatenate([relaxed.points, random_sphere(rng, 2000, d)])
        values = problem.features(points) @ relaxed.weights - problem.target_values(points)
        assert np.abs(values).max() >= relaxed.bound * (1 - 1e-6)
