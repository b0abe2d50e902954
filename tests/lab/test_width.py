"""Bisection over nested widths against a planted threshold, with searches that may not know."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import slth
from slth.lab import measure
from slth.lab.plan import Grid, Plan
from slth.lab.width import FoundTicket, bracket_width, needed_width
from slth.solution import Enclosure, Solution, Status


def solution(width, status, last_unit=None):
    """A solution on `width` units whose ticket, if reached, ends at unit `last_unit`."""
    keep = np.zeros(width, bool)
    if status == Status.REACHED:
        keep[last_unit - 1] = True
    mask = slth.Mask.of_units(keep, 2)
    net = slth.random_network(2, width, seed=0)
    error = Enclosure(0.1, 0.1, None, Status.CLOSED, "planted")
    bound = 0.2 if status == Status.REFUTED else 0.0
    return Solution(mask, error, bound, status, net.pruned(mask))


class Planted:
    """Tickets exist from width `exists`; proofs reach up to `proof`, searches from `finds`."""

    def __init__(self, proof, exists, finds):
        self.proof, self.exists, self.finds = proof, exists, finds
        self.calls = []

    def __call__(self, width):
        self.calls.append(width)
        if width <= self.proof:
            return solution(width, Status.REFUTED)
        if width >= self.finds:
            return solution(width, Status.REACHED, self.exists)
        return solution(width, Status.UNKNOWN)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(data=st.data())
def test_the_bracket_holds_the_truth_and_is_nearly_as_tight_as_the_searches(data):
    proof = data.draw(st.integers(0, 500))
    exists = data.draw(st.integers(proof + 1, proof + 400))
    finds = data.draw(st.integers(exists, exists + 300))
    planted = Planted(proof, exists, finds)
    bracket = bracket_width(planted, refuted=0, refuted_bound=0.0, found=None, max_width=5_000)
    assert bracket.refuted <= proof
    assert bracket.found is not None
    assert bracket.found.width == exists
    # The ticket is shorter than the network it was found on, and proofs stop within the factor.
    assert bracket.refuted * 1.05 + 1 >= min(proof, exists - 1)
    assert (bracket.refuted_bound > 0) == (bracket.refuted > 0)
    assert len(planted.calls) == len(set(planted.calls)) <= 40


@settings(deadline=None, derandomize=True, max_examples=200)
@given(data=st.data())
def test_luck_below_a_width_that_stayed_undecided_ends_the_search(data):
    """Searches cut by time may find a ticket at 45 units and none at 48."""
    proof = data.draw(st.integers(0, 60))
    lucky = data.draw(st.sets(st.integers(proof + 1, 120)))
    calls = []

    def search(width):
        assert len(calls) < 200, "the bisection does not end"
        calls.append(width)
        if width <= proof:
            return solution(width, Status.REFUTED)
        reached = width in lucky or width > 120
        return solution(width, Status.REACHED if reached else Status.UNKNOWN, width)

    bracket = bracket_width(search, refuted=0, refuted_bound=0.0, found=None, max_width=5_000)
    assert len(calls) == len(set(calls))
    assert bracket.found is not None
    assert bracket.found.width in calls
    assert bracket.refuted <= proof < bracket.found.width


def test_nothing_found_up_to_the_widest_network():
    planted = Planted(proof=10, exists=900, finds=1000)
    bracket = bracket_width(planted, refuted=0, refuted_bound=0.0, found=None, max_width=200)
    assert bracket.found is None
    assert bracket.tried == 200
    assert bracket.refuted == 10


def test_what_is_known_is_not_searched_again():
    planted = Planted(proof=40, exists=50, finds=50)
    known = FoundTicket(52, solution(60, Status.REACHED, 52))
    bracket = bracket_width(planted, refuted=30, refuted_bound=0.1, found=known, max_width=1000)
    assert all(30 < width < 52 for width in planted.calls)
    assert bracket.found.width == 50


def test_needed_width_is_the_last_kept_unit():
    assert needed_width(solution(9, Status.REACHED, 4)) == 4
    assert needed_width(solution(9, Status.UNKNOWN)) == 0


def test_what_a_trial_says_while_it_runs_is_the_narrowest_ticket_so_far(monkeypatch):
    monkeypatch.setattr(measure, "_throttled", lambda say: say)
    grid = Grid(("neurons",), ("relu",), (2,), (0.25,))
    # Of the second draw the search of each width finds a ticket in fewer units.
    _, trial = Plan("two", (grid,), draws=2, max_width=100).trials()
    said = []
    outcome = measure.run_trial(trial, [], said.append)
    widths = [each.found for each in said if each.found is not None]
    assert len(set(widths)) > 1
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == outcome.found
