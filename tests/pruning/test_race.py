"""The race: rounding to the radius, the words for what is known, and why a search stopped."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.limits import Deadline, silent
from slth.network import Mask
from slth.pruning.conclusion import OPTIMALITY, Aim, OfAll, OfTicket, status_of
from slth.pruning.race import Race
from slth.pruning.weights.certified import WeightProblem
from slth.rounding.scaling import scaled_down
from slth.solution import Enclosure, Status, Stop

TINY = 5e-324
NET = slth.ReLUNetwork([[1.0], [0.5], [-1.0]], [0.25, 1.0, 1.0])
TARGET = slth.neuron([1.0])


def race_of(radius=1.0, eps=None, deadline=None, **options):
    problem = WeightProblem(NET, TARGET)
    return Race(problem, radius, eps, deadline or Deadline(), silent, **options)


def enclosure(lower, upper):
    return Enclosure(lower, upper, None, Status.OPEN, "given")


def mask_of(*units):
    return Mask.of_units(np.isin(np.arange(3), units), 1)


def radii():
    rng = np.random.default_rng(0)
    return [0.1, 3.0, 1e300, TINY, 1e-323, 1.5e-322, 3.5e-320, 1e-310, *rng.uniform(0.1, 9.0, 200)]


def test_a_bound_is_rounded_down_to_the_radius():
    rng = np.random.default_rng(1)
    risen = 0
    for radius, bound in itertools.product(map(float, radii()), [0.75, *rng.random(20).tolist()]):
        exact = Fraction(bound) * Fraction(radius)
        race = race_of(radius)
        race.prove(bound, "given")
        race.enter(mask_of(), enclosure(bound, 2.0 * bound), "given")
        scaled = race.solution().bound
        assert 0.0 <= scaled == scaled_down(bound, radius)
        assert Fraction(scaled) <= exact
        # No looser than two floats: the bound is not given away either.
        assert Fraction(math.nextafter(math.nextafter(scaled, math.inf), math.inf)) >= exact
        risen += Fraction(bound * radius) > exact
    # The plain product would have claimed too much of these.
    assert risen > 1000


def test_a_product_that_overflows_is_no_infinite_bound():
    assert scaled_down(1e10, 1e300) == np.finfo(np.float64).max
    assert scaled_down(0.3, 1.0) == 0.3
    assert scaled_down(0.0, 7.0) == 0.0


@pytest.mark.parametrize("prune", [slth.prune_neurons, slth.prune_weights])
@pytest.mark.parametrize("radius", [TINY, 1e-323, 1.5e-322, 3.5e-320, 1e-310, 0.1, 3.0])
def test_the_optimum_is_never_below_the_bound(prune, radius):
    net = slth.ReLUNetwork([[1.0]], [0.25])
    solution = prune(net, TARGET, radius=radius)
    # relu(x) - 0.25 relu(x) is the better of the two: 3/4 of the radius.
    optimum = Fraction(3, 4) * Fraction(radius)
    assert Fraction(solution.bound) <= optimum <= Fraction(solution.error.upper)
    if radius > 1e-3:
        assert solution.status is Status.OPTIMAL


def test_eps_is_decided_on_the_scaled_numbers_at_its_very_edge():
    for radius in map(float, radii()):
        for value in (0.1, 0.3, 0.7):
            exact = Fraction(value) * Fraction(radius)
            eps = value * radius
            if not 0.0 < eps < math.inf:
                continue
            race = race_of(radius, eps)
            race.enter(mask_of(0), enclosure(0.0, value), "given")
            if Fraction(eps) < exact:
                assert race.solution().status is Status.UNKNOWN
            race = race_of(radius, eps)
            race.enter(mask_of(0), enclosure(0.0, 1.0), "given")
            race.prove(value, "given")
            if Fraction(eps) >= exact:
                assert race.solution().status is not Status.REFUTED


def test_a_status_says_what_the_printed_numbers_say():
    rng = np.random.default_rng(2)
    for _ in range(400):
        radius, lower, bound = (float(v) for v in rng.uniform(0.2, 3.0, 3))
        upper = lower * float(1.0 + rng.choice([0.0, 1e-6, 1e-3]))
        bound = min(bound, lower) * float(rng.choice([1.0, 1.0 - 5e-6, 1.0 - 5e-5, 0.9]))
        eps = None if rng.random() < 0.4 else float(rng.choice([upper, lower, bound]) * radius)
        race = race_of(radius, eps)
        race.enter(mask_of(0), enclosure(lower, upper), "given")
        race.prove(bound, "given")
        found = race.solution()
        if eps is None:
            optimal = found.bound >= (1.0 - OPTIMALITY) * found.error.upper
            assert found.status is (Status.OPTIMAL if optimal else Status.FEASIBLE)
        elif found.error.upper <= eps:
            assert found.status is Status.REACHED
        else:
            assert found.status is (Status.REFUTED if found.bound > eps else Status.UNKNOWN)


def test_the_words_for_what_is_known():
    words = {
        (aim, ticket, every): str(status_of(aim, ticket, every))
        for aim, ticket, every in itertools.product(Aim, OfTicket, OfAll)
    }
    least = {key[2]: word for key, word in words.items() if key[0] is Aim.LEAST_ERROR}
    assert least[OfAll.NONE_BETTER] == "optimal"
    assert least[OfAll.OPEN] == "feasible"
    for aim in (Aim.WITHIN, Aim.FEWEST):
        for ticket in (OfTicket.NOTHING, OfTicket.ENCLOSED, OfTicket.BEYOND):
            assert words[aim, ticket, OfAll.OPEN] == "unknown"
            assert words[aim, ticket, OfAll.NONE_WITHIN] == "refuted"
    assert words[Aim.WITHIN, OfTicket.WITHIN, OfAll.OPEN] == "reached"
    assert words[Aim.FEWEST, OfTicket.WITHIN, OfAll.OPEN] == "feasible"
    assert words[Aim.FEWEST, OfTicket.WITHIN, OfAll.NONE_BETTER] == "optimal"


def test_the_cutoff_is_beyond_eps_for_certain():
    rng = np.random.default_rng(3)
    pairs = [(TINY, 3.0), (1e-320, 1e3), (1e-323, 0.7), (1e300, 1e-300), (1e-300, 1e300)]
    pairs += [tuple(map(float, rng.uniform(0.01, 9.0, 2))) for _ in range(100)]
    for eps, radius in pairs:
        race = race_of(radius, eps)
        assert math.isinf(race.cutoff) or Fraction(race.cutoff) > Fraction(eps) / Fraction(radius)
        assert 0.0 < (race.unit_eps or 0.0) < math.inf
        if 1e-9 < eps < 1e9 > radius > 1e-9:
            # What is proven to err by the cutoff is refuted once it is scaled.
            race.prove(race.cutoff, "given")
            race.enter(mask_of(), enclosure(0.0, math.inf), "given")
            assert race.solution().status is Status.REFUTED


def test_the_better_ticket_is_kept():
    race = race_of()
    assert race.enter(mask_of(), enclosure(0.5, 0.6), "first")
    assert not race.enter(mask_of(0), enclosure(0.1, 0.6), "not better")
    assert race.enter(mask_of(0, 1), enclosure(0.1, 0.5), "better")
    assert race.solution().stats["searcher"] == "better"
    race = race_of(eps=0.2)
    assert race.enter(mask_of(), enclosure(0.5, 9.0), "beyond, loosely known")
    assert race.enter(mask_of(0), enclosure(0.4, 10.0), "errs less")
    assert race.enter(mask_of(0, 1), enclosure(0.0, 0.2), "within")
    assert race.enter(mask_of(1), enclosure(0.0, 0.2), "within, with fewer weights")
    assert not race.enter(mask_of(0, 1, 2), enclosure(0.0, 0.0), "within, with more")
    assert not race.enter(mask_of(), enclosure(0.21, 0.21), "beyond")
    assert race.solution().status is Status.REACHED


def test_counts_of_units():
    race = race_of(eps=0.2, fewest=True)
    race.enter(mask_of(), enclosure(0.5, 0.5), "beyond")
    race.prove_least(1, "given")
    assert (race.units, race.decided) == (4, False)
    race.enter(mask_of(0, 1), enclosure(0.1, 0.1), "within")
    assert race.solution().status is Status.FEASIBLE
    race.prove_least(2, "given")
    race.prove_least(1, "a weaker one")
    found = race.solution()
    assert (found.status, found.least_units) == (Status.OPTIMAL, 2)
    race = race_of(eps=0.2, fewest=True)
    race.enter(mask_of(), enclosure(0.5, 0.5), "beyond")
    race.prove_least(4, "given")
    assert race.solution().status is Status.REFUTED


def test_why_a_search_stopped_is_told_apart_from_what_it_knows():
    def interrupted():
        raise KeyboardInterrupt

    spent, limit, stopped, closed = (race_of(deadline=Deadline()) for _ in range(4))
    for race in (spent, limit, stopped, closed):
        race.enter(mask_of(0), enclosure(0.3, 0.3), "given")
    limit.deadline.stop()
    stopped.run(interrupted)
    closed.prove(0.3, "given")
    reasons = [race.solution().stopped for race in (spent, limit, stopped, closed)]
    assert reasons == [Stop.SPENT, Stop.LIMIT, Stop.INTERRUPTED, Stop.CLOSED]
    words = [str(race.solution().status) for race in (spent, limit, stopped, closed)]
    assert words == ["feasible", "feasible", "feasible", "optimal"]
    # An interrupt that comes after the answer does not take it back.
    closed.run(interrupted)
    assert closed.solution().stopped is Stop.CLOSED


@pytest.mark.parametrize("prune", [slth.prune_neurons, slth.prune_weights])
@pytest.mark.parametrize("reports", [1, 2])
def test_ctrl_c_returns_the_best_so_far(prune, reports):
    told = []

    def report(progress):
        told.append(progress)
        if len(told) == reports:
            raise KeyboardInterrupt

    net = slth.random_network(3, 60, 0, "relu")
    found = prune(net, slth.neuron([1.0, 0.0, 0.0]), report=report)
    assert found.stopped is Stop.INTERRUPTED
    assert found.status is Status.FEASIBLE
    assert found.stats["interrupted"] is True
    again = slth.certify(found.pruned, slth.neuron([1.0, 0.0, 0.0]))
    assert again.lower <= found.error.upper


def test_one_dimension_is_optimal_only_within_the_tolerance():
    # Units 0 and 2 are the target: error 0. The search's resolution, absolute, cannot see unit 2.
    rng = np.random.default_rng(4)
    for small in [1e-16, *(10.0 ** rng.uniform(-17.5, -15.2, 60)).tolist()]:
        net = slth.ReLUNetwork([[1.0], [0.7], [small]], [1.0, 1.0, 1.0])
        target = slth.ReLUNetwork([[1.0], [small]], [1.0, 1.0])
        found = slth.prune_weights(net, target)
        kept = found.mask.output & found.mask.hidden[:, 0]
        weights = zip((1.0, 0.7, small), kept, strict=True)
        error = abs(sum(Fraction(w) for w, keep in weights if keep) - 1 - Fraction(small))
        assert error == 0 or found.status is Status.FEASIBLE
        assert error <= Fraction(found.error.upper)
