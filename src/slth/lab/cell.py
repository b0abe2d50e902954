"""One cell of the gap experiment: a series, a draw, an eps; its row and its ticket."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth.errors import SlthError
from slth.lab.rows import GapPlan, Series, WidthRow
from slth.lab.trial import Trial, target_of_seed
from slth.lab.trial_result import TrialResult
from slth.network import ReLUNetwork, random_network
from slth.ticket import Ticket


def network_of(plan: GapPlan, series: Series, draw: int, width: int) -> ReLUNetwork:
    """Draw `draw`'s first `width` units."""
    return random_network(plan.d, width, plan.seed + draw, series.readout)


def target_of(plan: GapPlan, draw: int) -> ReLUNetwork:
    """Draw `draw`'s target neuron, uniform on the sphere."""
    return target_of_seed(plan.d, plan.seed + draw)


@dataclass(frozen=True)
class Cell:
    """A row and, if one was found, its ticket."""

    row: WidthRow
    ticket: Ticket | None


def cell_of(trial: Trial, outcome: TrialResult) -> Cell:
    """The cell of a bisection.

    Raises:
        SlthError: the trial failed.
    """
    if outcome.state == "failed" or trial.eps is None:
        raise SlthError(f"a cell of the gap experiment failed: {outcome.message}")
    ticket = None if outcome.ticket is None else Ticket.from_bytes(outcome.ticket)
    row = WidthRow(
        Series(trial.pruning, trial.readout),
        trial.draw,
        trial.eps,
        outcome.refuted or 0,
        outcome.bound or 0.0,
        outcome.found,
        outcome.error_upper,
        outcome.kept_units if trial.pruning == "neurons" else outcome.kept_weights,
        () if ticket is None else _kept_units(ticket),
        outcome.tried or 0,
        outcome.seconds,
        outcome.state == "timeout",
        outcome.undecided,
    )
    return Cell(row, ticket)


def _kept_units(ticket: Ticket) -> tuple[int, ...]:
    """Indices of the units that the ticket uses."""
    alive = ticket.mask.output & ticket.mask.hidden.any(axis=1)
    return tuple(int(i) for i in np.flatnonzero(alive))
