import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slth.limits import Deadline
from slth.pruning.neurons.plane.frame import frame_of
from slth.pruning.neurons.plane.refute import circle_bound, refute_on_circle
from slth.pruning.neurons.plane.walk import error_of
from tests.pruning.neurons.every_subset import errors_of_all, gaussian


@pytest.mark.parametrize("width", range(1, 14))
def test_decides_exactly_what_enumeration_decides(width):
    for seed in range(12 if width < 12 else 4):
        hidden, output, target = gaussian(width, seed)
        best = errors_of_all(hidden, output, target).min()
        for share in (0.5, 0.9, 0.999, 1 - 1e-7):
            assert refute_on_circle(hidden, output, target, share * best) is True
        for share in (1 + 1e-9, 1.001, 1.05):
            assert refute_on_circle(hidden, output, target, share * best) is False


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([-2, -1, -0.5, 0, 1, 3])),
        max_size=9,
    ),
    st.tuples(st.integers(-3, 3), st.integers(-3, 3)).filter(any),
    st.sampled_from([1.0, 1e-9, 1e9]),
)
def test_never_refutes_what_coinciding_units_reach(units, target, scale):
    hidden = np.array([unit[:2] for unit in units], float).reshape(-1, 2) * scale
    output = np.array([unit[2] for unit in units], float) / scale
    goal = np.array(target, float)
    best = errors_of_all(hidden, output, goal).min()
    assert not refute_on_circle(hidden, output, goal, max(best, 1e-9) * (1 + 1e-9))
    if best > 1e-3:
        assert refute_on_circle(hidden, output, goal, 0.99 * best) is not False


def test_a_planted_ticket_is_never_refuted():
    for seed in range(6):
        hidden, output, target = gaussian(24, seed)
        # 8 of the units are made to sum up to the target but for a small change of one output.
        rng = np.random.default_rng(100 + seed)
        hidden[:8] = target + 0.02 * rng.standard_normal((8, 2))
        output[:8] = np.linalg.lstsq(hidden[:8].T, target, rcond=None)[0]
        error = errors_of_all(hidden[:8], output[:8], target)[-1]
        assert refute_on_circle(hidden, output, target, error * (1 + 1e-9)) is False


@pytest.mark.parametrize("width", range(3, 14))
def test_rising_from_below_finds_the_optimum(width):
    for seed in range(20, 26):
        hidden, output, target = gaussian(width, seed)
        errors = errors_of_all(hidden, output, target)
        bound, keep, error = circle_bound(hidden, output, target, 0.0, 2.0 * errors.max())
        best = errors.min()
        assert error == pytest.approx(best, rel=1e-9)
        assert best * (1 - 1e-6) < bound <= best
        assert keep is not None
        assert errors[(keep << np.arange(width)).sum()] == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("seed", [2])
def test_the_optimum_at_width_60_is_proven(seed):
    hidden, output, target = gaussian(60, seed)
    # The ticket an independent enumeration found; its error is its own.
    bound, keep, _ = circle_bound(hidden, output, target, 0.0144, 0.0413046406)
    assert bound == pytest.approx(0.0413046406, rel=3e-6)
    assert bound <= 0.0413046406
    assert keep is None
    bound, keep, error = circle_bound(hidden, output, target, 0.0144, 1.0)
    assert keep is not None
    assert error == pytest.approx(0.0413046406, rel=1e-8)
    assert error * (1 - 1e-6) < bound < error


def test_the_frame_evaluates_every_subset_as_the_oracle_does():
    hidden, output, target = gaussian(9, 3)
    target = 2.5 * target
    frame = frame_of(hidden, output, target)
    errors = errors_of_all(hidden, output, target)
    for subset, error in enumerate(errors):
        keep = (subset >> frame.index) & 1 == 1
        value = error_of(frame.place, frame.jump, frame.odd, keep, np.inf)
        assert value * frame.norm == pytest.approx(error, rel=1e-12)


def test_gives_up_rather_than_guess():
    hidden, output, target = gaussian(20, 8)
    assert refute_on_circle(hidden, output, target, 0.05, Deadline(0.0)) is None
    assert refute_on_circle(hidden, output * 1e9, target, 1e-6) is None
    assert refute_on_circle(hidden * 1e-200, output, target, 0.05) is None
    hidden, output, target = gaussian(1100, 8)
    assert refute_on_circle(hidden, output, target, 1e-3) is None
