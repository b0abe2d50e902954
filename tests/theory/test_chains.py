"""The (q,p,T)-chain: exact rationals, path enumeration, spectral formula, Lemma 7."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slth import theory
from slth.errors import InvalidInput


def enumerate_paths(q, p, cap, k, start):
    """Law of B_k by summing over all 3^k paths: the oracle."""
    law = [Fraction(0)] * (cap + 1)
    for steps in itertools.product((-1, 0, 1), repeat=k):
        state, chance = start, Fraction(1)
        for step in steps:
            rise = p if state < cap else Fraction(0)
            fall = q if state > 0 else Fraction(0)
            chance *= {1: rise, -1: fall, 0: 1 - rise - fall}[step]
            if not chance:
                break
            state += step
        else:
            law[state] += chance
    return law


@pytest.mark.parametrize("cap", [1, 2, 3, 4])
@pytest.mark.parametrize(("q", "p"), [("1/4", "1/2"), ("1/3", "2/3"), ("1/5", "1/5")])
def test_exact_law_is_the_sum_over_paths(cap, q, p):
    chain = theory.Chain(Fraction(q), Fraction(p), cap)
    for k in (0, 1, 2, 6):
        oracle = enumerate_paths(Fraction(q), Fraction(p), cap, k, 1)
        assert theory.exact_law(chain, k) == oracle


def test_path_enumeration_at_twelve_steps():
    # All 3^12 paths, their probabilities as integers over 8^12: q = 1/8, p = 3/8.
    law = [0] * 5

    def walk(state, weight, left):
        if left == 0:
            law[state] += weight
            return
        rise = 3 if state < 4 else 0
        fall = 1 if state > 0 else 0
        walk(state, weight * (8 - rise - fall), left - 1)
        if rise:
            walk(state + 1, weight * rise, left - 1)
        if fall:
            walk(state - 1, weight * fall, left - 1)

    walk(1, 1, 12)
    chain = theory.Chain(Fraction(1, 8), Fraction(3, 8), 4)
    assert theory.exact_law(chain, 12) == [Fraction(weight, 8**12) for weight in law]


def test_hand_computed_two_steps():
    # From 1: up then down, down then stay at 0, stay then down.
    chain = theory.Chain(Fraction(1, 4), Fraction(1, 2), 3)
    law = theory.exact_law(chain, 2)
    assert law[0] == Fraction(1, 4) * Fraction(1, 2) + Fraction(1, 4) * Fraction(1, 4)
    assert sum(law) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.floats(0.02, 0.45), st.floats(0.02, 0.5), st.integers(0, 40))
def test_float_law_and_spectral_formula_agree_with_rationals(cap, q, p, k):
    chain = theory.Chain(q, p, cap)
    for start in (0, 1):
        exact = theory.exact_law(chain, k, start=start)
        law = theory.law(chain, k, start=start)
        np.testing.assert_allclose(law, [float(x) for x in exact], rtol=1e-12, atol=1e-300)
        at_zero = theory.log_at_zero(chain, k, start=start)
        if exact[0] == 0:
            assert at_zero == -math.inf
        else:
            assert at_zero == pytest.approx(math.log(exact[0]), abs=1e-12)
        bound = theory.lemma7(chain, k, start=start)
        assert bound >= at_zero - 1e-15
        array = theory.chains.lemma7_array(chain, np.array([k]), start=start)[0]
        assert bound <= array <= bound + 1e-10


def test_hit_by_is_the_absorbed_mass():
    chain = theory.Chain(Fraction(1, 4), Fraction(1, 2), 3)
    # Oracle: the same chain that never leaves 0.
    law = [Fraction(0), Fraction(1), Fraction(0), Fraction(0)]
    for k in range(10):
        assert theory.hit_by(chain, k) == pytest.approx(float(law[0]), abs=1e-14)
        law = [
            law[0] + law[1] / 4,
            law[1] / 4 + law[2] / 4,
            law[1] / 2 + law[2] / 4 + law[3] / 4,
            law[2] / 2 + law[3] * Fraction(3, 4),
        ]
    wide = theory.Chain(0.1, 0.3, 400)
    assert theory.hit_by(wide, 5000) == pytest.approx(1 / 3, abs=1e-9)


def test_simulation_is_within_four_standard_errors():
    chain, k, trials = theory.Chain(0.2, 0.3, 6), 25, 200_000
    rng = np.random.default_rng(2)
    state = np.ones(trials, dtype=int)
    for _ in range(k):
        u = rng.random(trials)
        state = np.clip(state + (u >= 0.7).astype(int) - (u < 0.2).astype(int), 0, 6)
    law = theory.law(chain, k)
    share = np.bincount(state, minlength=7) / trials
    assert (np.abs(share - law) <= 4 * np.sqrt(law * (1 - law) / trials)).all()


def test_decay_and_plateau():
    chain = theory.Chain(0.1, 0.3, 4000)
    rate = theory.log_at_zero(chain, 2000) - theory.log_at_zero(chain, 2001)
    # The law decays like k^(-3/2) times the closed form.
    assert rate == pytest.approx(chain.decay_rate + 1.5 / 2000, rel=2e-3)
    assert chain.gap_rate == pytest.approx(chain.decay_rate, rel=1e-4)
    small = theory.Chain(0.1, 0.3, 20)
    assert theory.log_at_zero(small, 50_000) == pytest.approx(small.log_stationary_zero, abs=1e-9)
    assert small.log_stationary_zero == pytest.approx(
        math.log((1 - 1 / 3) / (1 - 3.0**-21) * 3.0**-20)
    )
    even = theory.Chain(0.2, 0.2, 9)
    assert even.log_stationary_zero == pytest.approx(-math.log(10))


def test_long_law_sums_to_one_and_keeps_its_mean():
    chain = theory.Chain(0.1, 0.4, 100_000)
    law = theory.law(chain, 20_000)
    assert law.sum() == pytest.approx(1.0, abs=1e-10)
    assert law @ np.arange(law.size) == pytest.approx(1 + 0.3 * 20_000, abs=1.0)
    assert law.min() >= 0.0


def test_the_papers_chernoff_bound_holds_where_it_applies():
    for q, p, cap in [(0.05, 0.4, 12), (0.1, 0.3, 60), (0.01, 0.9, 3)]:
        chain = theory.Chain(q, p, cap)
        for k in (1, 3, cap // 2, cap, 3 * cap, 20 * cap):
            for start in (0, 1):
                assert (
                    theory.chernoff_lemma7(chain, k)
                    >= theory.log_at_zero(chain, max(k, start), start=start) - 1e-12
                )
    assert theory.chernoff_lemma7(theory.Chain(0.1, 0.3, 2), 50) == 0.0
    with pytest.raises(InvalidInput, match="q < p / 2"):
        theory.chernoff_lemma7(theory.Chain(0.2, 0.3, 5), 5)


def test_union_bound_is_the_sum():
    log_p = np.log([0.1, 0.02, 0.003, 0.0004])
    exact = 4 * 0.1 + 6 * 0.02 + 4 * 0.003 + 0.0004
    assert math.exp(theory.union_bound(log_p)) == pytest.approx(exact)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.6, 0.5, 3), r"p \+ q > 1"),
        ((0.2, 0.3, 0), "cap"),
        ((0.0, 0.3, 2), "not a probability"),
        ((0.2, math.nan, 2), "not a probability"),
    ],
)
def test_bad_chains_are_refused(arguments, words):
    with pytest.raises(InvalidInput, match=words):
        theory.Chain(*arguments)


def test_bad_starts_are_refused():
    chain = theory.Chain(0.2, 0.3, 4)
    with pytest.raises(InvalidInput, match="above the cap"):
        theory.law(chain, 3, start=5)
    with pytest.raises(InvalidInput, match="start out of range"):
        theory.log_at_zero(chain, 3, start=2)
    with pytest.raises(InvalidInput, match="k out of range"):
        theory.law(chain, -1)
