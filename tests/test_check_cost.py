"""What hostile tickets may cost the checker: long integers count for what they take."""

import numpy as np
import pytest

import slth
from slth.exact import MOST_NUMBERS, MOST_WORK, TooLarge, require_room, require_work, words
from slth.proof import RefutationProof
from slth.ticket import Ticket


def numbers(rng, shape, low, high):
    """Floats whose exponents lie between low and high: wide ranges make long integers."""
    signs = rng.choice([-1, 1], shape)
    return signs * rng.uniform(1, 2, shape) * 2.0 ** rng.integers(low, high, shape)


def refutation_ticket(width, points, multipliers, low, high, kind="neuron"):
    rng = np.random.default_rng(0)
    net = slth.ReLUNetwork(
        numbers(rng, (width, 2), low, high // 2), numbers(rng, width, low, high // 2)
    )
    proof = RefutationProof(
        numbers(rng, (points, 2), low, high),
        np.array([-1], np.int32),
        np.array([0, multipliers]),
        rng.integers(0, points, multipliers).astype(np.int32),
        numbers(rng, multipliers, low, high),
    )
    return Ticket(
        net=net,
        target=slth.neuron([1.0, 0.0]),
        mask=slth.Mask(np.zeros((width, 2), bool), np.zeros(width, bool)),
        kind=kind,
        radius=1.0,
        error=slth.Enclosure(0.0, 1.0, None, slth.Status.OPEN, "by hand"),
        bound=0.5,
        status=slth.Status.FEASIBLE,
        refutation=proof,
    )


@pytest.mark.parametrize("kind", ["neuron", "weight"])
def test_a_proof_of_long_integers_is_not_covered_where_short_ones_are_looked_at(kind):
    # 16,000 units at 50 points: short integers are looked at (and refused, since they say nothing).
    short = slth.check(refutation_ticket(2_000, 50, 20, -5, 5, kind))["bound"]
    assert short.outcome == "refused"
    long = slth.check(refutation_ticket(20_000, 50, 2_000, -1000, 880, kind))["bound"]
    assert long.outcome == "not covered"
    assert "too large for the checker" in long.reason


def test_multipliers_of_many_words_are_charged():
    # 40 points of 500 units fit; 40,000 multipliers of 30 words do not.
    few = slth.check(refutation_ticket(500, 40, 40, -1000, 880))["bound"]
    many = slth.check(refutation_ticket(500, 40, 40_000, -1000, 880))["bound"]
    assert few.outcome == "refused"
    assert many.outcome == "not covered"


def test_a_sweep_of_long_integers_is_not_covered():
    rng = np.random.default_rng(1)

    def upper(low, high):
        net = slth.ReLUNetwork(numbers(rng, (8_000, 2), low, high), numbers(rng, 8_000, -1, 1))
        ticket = Ticket(
            net=net,
            target=slth.neuron([1.0, 0.0]),
            mask=slth.Mask.of_units(np.ones(8_000, bool), 2),
            kind="neuron",
            radius=1.0,
            error=slth.Enclosure(0.0, 1e300, None, slth.Status.OPEN, "by hand"),
            bound=0.0,
            status=slth.Status.FEASIBLE,
        )
        return slth.check(ticket)["upper"].outcome

    assert upper(-5, 5) == "verified"
    assert upper(-1000, 880) == "not covered"


def test_words_and_charges():
    assert words(np.array([0, 1, -(2**63)], dtype=object)) == 2
    assert words(np.array([], dtype=object)) == 1
    assert words(np.array([2**640], dtype=object)) == 11
    assert require_work(32) == 33
    assert require_work(32, 8, 4) == 64
    with pytest.raises(TooLarge):
        require_work(MOST_WORK)
    require_room(MOST_NUMBERS // 2, 8)
    with pytest.raises(TooLarge):
        require_room(MOST_NUMBERS // 2 + 1, 8)
