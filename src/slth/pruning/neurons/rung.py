"""One rung of a proof: no mask errs by less than a cutoff, or here is one that does.

Screening drops the units that no such mask can keep; the relaxation and the branch-and-bound then
speak of the survivors only, and what they prove holds for every mask.
"""

from __future__ import annotations

import math

import numpy as np

from slth.certify.enclose import enclose
from slth.limits import Deadline
from slth.network import FloatArray
from slth.pruning.neurons.branch import Judgement, search_tree
from slth.pruning.neurons.cluster import restricted, widened
from slth.pruning.neurons.dual import Certificate
from slth.pruning.neurons.entry import NeuronRace, offer
from slth.pruning.neurons.local import Candidate
from slth.pruning.neurons.recording import Drops, Recording, one_leaf
from slth.pruning.neurons.relaxation import WIDEST, relax
from slth.pruning.neurons.screening import screen
from slth.pruning.neurons.sphere import cap_points


def climb_rung(
    race: NeuronRace,
    cutoff: float,
    points: FloatArray,
    rng: np.random.Generator,
    share: float = 1.0,
) -> tuple[FloatArray, bool]:
    """Raise the race's bound towards `cutoff` (on the unit ball), or improve its ticket.

    Args:
        points: float64 [P, d] in the ball, where good masks are known to err.
        share: of the time left, the most that is spent.

    Returns:
        `points` and those found on the way; whether the search was finished, be it below the
        cutoff because a better ticket was met.
    """
    deadline = race.deadline.within(share * race.deadline.remaining)
    width = race.problem.width
    dropped, drops = screen(race.problem, cutoff, rng, deadline.within(0.6 * deadline.remaining))
    units = np.flatnonzero(~dropped)
    race.stats["survivors"] = int(units.size)
    if units.size == 0:
        prove_empty(race, "screening", cutoff, drops)
        return points, True
    if units.size > WIDEST:
        return points, False
    part = restricted(race.problem, units)
    if not part.linear:
        points = np.concatenate([points, cap_points(part, cutoff, rng, deadline)])
    root = relax(part, rng, deadline.within(0.4 * deadline.remaining), cutoff=cutoff, points=points)
    if root.certificate is not None:
        proof = one_leaf(width, root.certificate, drops) if race.recording else None
        race.prove(min(cutoff, root.bound), "linear relaxation", proof)
    points = np.unique(np.concatenate([points, root.points]), axis=0)
    if race.finished or root.bound >= cutoff:
        return points, True

    def judge(candidate: Candidate) -> Judgement:
        whole = Candidate(widened(race.problem, units, candidate.keep), candidate.error)
        error = offer(race, whole, "branch and bound", seconds=3.0, rtol=1e-5)
        if error is None:
            return Judgement(candidate.error, None, race.finished)
        return Judgement(error.lower, error.witness, race.finished)

    recording = Recording(width, drops) if race.recording else None
    outcome = search_tree(part, cutoff, points, root.tight, rng, deadline, judge, recording, units)
    race.count("nodes", outcome.nodes)
    race.prove(min(cutoff, outcome.bound), "branch and bound", outcome.proof)
    return points, outcome.finished


def prove_empty(race: NeuronRace, prover: str, cutoff: float = math.inf, drops: Drops = ()) -> None:
    """Record what the empty mask errs, up to the cutoff, as the bound: no unit but those that
    screening dropped may be kept."""
    problem = race.problem
    nothing = problem.masked(np.zeros(problem.width, np.bool_))
    error = enclose(nothing, problem.target, 1e-3, Deadline(1.0))
    if error.witness is None:
        return
    point = error.witness[None]
    sign = -np.sign(problem.target_values(point))
    proof = one_leaf(problem.width, Certificate(point, sign, np.ones(1)), drops)
    race.prove(min(cutoff, error.lower), prover, proof)
