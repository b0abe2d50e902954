"""The original and capped process and the coupled chain on actual draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slth import theory
from slth.errors import InvalidInput


def draw(rng, width, d):
    target = rng.standard_normal(d)
    return (
        rng.standard_normal((width, d)),
        rng.standard_normal(width),
        target / np.linalg.norm(target),
    )


@pytest.mark.parametrize("length", [0.2, 1.0])
def test_the_process_counts_broken_bins_of_every_prefix(length):
    rng = np.random.default_rng(4)
    hidden, output, target = draw(rng, 60, 4)
    bins = theory.make_bins(2.0, length)
    order = rng.permutation(60)[:45]
    for family in range(2):
        path = theory.pruning_process(
            hidden,
            output,
            target,
            family=family,
            bins=bins,
            tolerance=0.02,
            order=order,
            keep_states=True,
        )
        for s in range(46):
            chosen = order[:s]
            errors = theory.bin_errors(hidden[chosen], output[chosen], target, family, bins)
            assert path.state[s].tolist() == (errors > 0.02).tolist()
            assert path.broken[s] == path.state[s].sum()
        assert np.abs(path.moves).max() <= 1
        was = path.state[np.arange(45), np.maximum(path.bin_of, 0)]
        assert (path.hit_broken == (was & (path.bin_of >= 0))).all()


def test_selecting_the_target_itself_mends_its_bin():
    target = np.array([0.8, 0.6])
    bins = theory.make_bins(2.0, 0.5)
    path = theory.pruning_process(
        target[None, :], np.ones(1), target, family=0, bins=bins, tolerance=0.01
    )
    assert path.broken.tolist() == [1, 0]
    assert path.state is None


def test_a_family_on_which_the_target_does_not_bend_starts_at_zero():
    target = np.array([1.0, 0.0, 0.0, 0.0])
    bins = theory.make_bins(2.0, 0.65)
    assert bins.count % 2 == 1  # t* = 0 lies inside a bin, not on an edge
    start = [
        theory.pruning_process(
            np.empty((0, 4)), np.empty(0), target, family=i, bins=bins, tolerance=0.01
        ).broken[0]
        for i in (0, 1)
    ]
    assert start == [1, 0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6))
def test_capped_never_exceeds_original_nor_the_cap(seed, cap):
    rng = np.random.default_rng(seed)
    hidden, output, target = draw(rng, 150, 2)
    bins = theory.make_bins(2.0, rng.uniform(0.1, 1.0))
    path = theory.pruning_process(
        hidden, output, target, family=0, bins=bins, tolerance=rng.uniform(0.005, 0.1)
    )
    capped = theory.capped_process(path, cap)
    assert (capped <= path.broken).all()
    assert capped.max() <= cap
    assert capped.min() >= 0
    unreached = theory.capped_process(path, int(path.broken.max()) + 1)
    assert (unreached == path.broken).all()


def coupled_runs(runs, steps, seed):
    chosen = theory.constants(0.002, 2.0, gamma=1.0, margin=0.2, share=0.03)
    rng = np.random.default_rng(seed)
    target = np.array([0.8, 0.6])
    for _ in range(runs):
        hidden, output = rng.standard_normal((steps, 2)), rng.standard_normal(steps)
        path = theory.pruning_process(
            hidden,
            output,
            target,
            family=0,
            bins=chosen.bins,
            tolerance=chosen.tolerance,
            keep_states=True,
        )
        both = theory.kinks(hidden, output)
        coupled = theory.couple(
            path,
            chosen.chain,
            (both.breakpoints[0], both.jumps[0]),
            bins=chosen.bins,
            gamma=chosen.gamma,
            margin=chosen.margin,
            rng=rng,
        )
        yield chosen, path, coupled


def test_chain_stays_below_the_original_path_by_path_and_has_its_law():
    uniforms, ends, runs, steps = [], [], 300, 120
    for chosen, path, coupled in coupled_runs(runs, steps, 8):
        assert (coupled.chain <= np.minimum(path.broken, chosen.cap)).all()
        assert (np.abs(np.diff(coupled.chain)) <= 1).all()
        uniforms.append(coupled.uniforms)
        ends.append(coupled.chain[-1])
    u = np.concatenate(uniforms)
    assert u.min() >= 0
    assert u.max() <= 1
    for level in (chosen.q0, 0.2, 0.5, 1 - chosen.p0):
        deviation = abs(np.mean(u < level) - level)
        assert deviation <= 4.5 * np.sqrt(level * (1 - level) / u.size)
    law = theory.law(chosen.chain, steps)
    share = np.bincount(ends, minlength=law.size) / runs
    assert (np.abs(share - law) <= 4.5 * np.sqrt(law * (1 - law) / runs)).all()


def test_a_chain_with_a_larger_up_probability_would_cross():
    # The oracle of the test above: with p far above the true breaking probability the order
    # is lost, so the inequality is not true by construction.
    chosen = theory.constants(0.002, 2.0, gamma=1.0, margin=0.2, share=0.03)
    wrong = theory.Chain(0.001, 0.9, chosen.cap)
    crossed = 0
    for _, path, coupled in coupled_runs(10, 60, 3):
        state = int(path.broken[0])
        for s, u in enumerate(coupled.uniforms):
            state = min(max(state + (u >= 1 - wrong.up) - (u < wrong.down), 0), wrong.cap)
            crossed += state > path.broken[s + 1]
    assert crossed > 0


@pytest.mark.parametrize(
    ("order", "words"), [([0, 0], "repeats"), ([3], "do not exist"), ([-1], "do not exist")]
)
def test_bad_orders_are_refused(order, words):
    with pytest.raises(InvalidInput, match=words):
        theory.pruning_process(
            np.ones((3, 2)),
            np.ones(3),
            np.array([1.0, 0.0]),
            family=0,
            bins=theory.make_bins(2.0, 1.0),
            tolerance=0.1,
            order=order,
        )


def test_coupling_needs_the_states_and_a_cap_needs_to_be_positive():
    path = theory.pruning_process(
        np.ones((3, 2)),
        np.ones(3),
        np.array([1.0, 0.0]),
        family=0,
        bins=theory.make_bins(2.0, 1.0),
        tolerance=0.1,
    )
    with pytest.raises(InvalidInput, match="cap"):
        theory.capped_process(path, 0)
    with pytest.raises(InvalidInput, match="states"):
        theory.couple(
            path,
            theory.Chain(0.1, 0.2, 2),
            (np.ones(3), np.ones(3)),
            bins=theory.make_bins(2.0, 1.0),
            gamma=1.0,
            margin=0.2,
            rng=np.random.default_rng(0),
        )
