"""A weight mask's certified error: the closed form where it applies and is sharp enough, else the
certifier's."""

from __future__ import annotations

from dataclasses import dataclass

from slth.certify.enclose import enclose
from slth.certify.unit_pair import UnitPair
from slth.limits import Deadline
from slth.network import Mask, ReLUNetwork
from slth.pruning.race import Race
from slth.pruning.weights.construct import closed_form
from slth.solution import Enclosure, Status

# Relative tolerance of certificates while masks are compared, and of the final one.
_RANKING = 1e-2
_FINAL = 1e-6
# Largest d whose certificate is an exact sweep: cheap, and sharper than the closed form.
_SWEPT = 2
# Below this error the certifier gains too little on the closed form for the time it takes.
_SMALL = 0.02
# One certificate must not eat the time of the searches that follow it.
_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class WeightProblem:
    """A network whose single weights may be pruned, and the target it is to reach."""

    net: ReLUNetwork
    target: ReLUNetwork


WeightRace = Race[WeightProblem]


def offer(race: WeightRace, mask: Mask, searcher: str) -> Enclosure:
    """Certify a mask and keep it if it is better; its enclosure on the unit ball."""
    error = certified(race, mask)
    race.enter(mask, error, searcher)
    return error


def certified(race: WeightRace, mask: Mask) -> Enclosure:
    """As sharp as comparing masks, or deciding eps, needs."""
    problem, eps = race.problem, race.unit_eps
    form = closed_form(problem.net, mask, problem.target)
    if form is not None and (
        form.status == Status.CLOSED
        or (problem.net.d > _SWEPT and form.upper <= _SMALL)
        or (eps is not None and not form.lower <= eps < form.upper)
    ):
        return form
    return _sharper(race, mask, form, _RANKING)


def confirmed(
    net: ReLUNetwork, mask: Mask, target: ReLUNetwork, radius: float, eps: float
) -> Enclosure | None:
    """The closed form of a mask's error over the ball of that radius, if it applies and proves that
    the error is at most eps: how weight tickets are certified that no search can close."""
    form = closed_form(net, mask, target)
    if form is None:
        return None
    pair = UnitPair.of(net.pruned(mask), target)
    enclosure = pair.over(form, radius, _FINAL, None)
    return enclosure if enclosure.upper <= eps else None


def sharpen(race: WeightRace) -> None:
    """Enclose the best ticket's error as sharply as an answer shows it."""
    error = race.error
    if error is not None and race.unit_eps is None and error.gap > _FINAL * error.upper:
        race.sharpened(_sharper(race, race.mask, error, _FINAL))


def _sharper(race: WeightRace, mask: Mask, known: Enclosure | None, rtol: float) -> Enclosure:
    """The certifier's enclosure if its upper bound is smaller than that of `known`."""
    limit = Deadline(max(1e-3, min(_SECONDS, race.deadline.remaining)))
    problem = race.problem
    found = enclose(problem.net.pruned(mask), problem.target, rtol, limit)
    return found if known is None or found.upper < known.upper else known
