"""One cell of the gap experiment: a series, a draw, an eps. Runs in a worker process."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from slth.lab.rows import GapPlan, Series, WidthRow
from slth.lab.width import Found, bracket_width
from slth.network import ReLUNetwork, neuron, random_network
from slth.neurons import prune_neurons
from slth.solution import Solution
from slth.weights import prune_weights


def network_of(plan: GapPlan, series: Series, draw: int, width: int) -> ReLUNetwork:
    """Draw `draw`'s first `width` units."""
    return random_network(plan.d, width, plan.seed + draw, series.readout)


def target_of(plan: GapPlan, draw: int) -> ReLUNetwork:
    """Draw `draw`'s target neuron, uniform on the sphere."""
    entropy = np.random.SeedSequence(plan.seed + draw, spawn_key=(plan.d, 1))
    direction = np.random.Generator(np.random.PCG64(entropy)).standard_normal(plan.d)
    return neuron(direction, normalize=True)


@dataclass(frozen=True)
class Cell:
    """A row and, for a found ticket, the solution on the network of `row.found` units."""

    row: WidthRow
    solution: Solution | None


def measure(
    plan: GapPlan, series: Series, draw: int, eps: float, easier: Cell | None, known: Cell | None
) -> Cell:
    """Bracket the width that draw `draw` needs for `eps`.

    Args:
        easier: the same series and draw at a larger eps: what is refuted there is refuted here.
        known: the neuron-pruning cell of the same draw, eps and readout: a neuron ticket is a
            weight mask too, so weight pruning starts from it.
    """
    started = time.monotonic()
    target = target_of(plan, draw)
    prune = prune_neurons if series.pruning == "neurons" else prune_weights

    def search(width: int) -> Solution:
        net = network_of(plan, series, draw, width)
        return prune(net, target, eps=eps, time_limit=plan.search_seconds, seed=plan.seed + draw)

    # Any ticket that already reaches eps: the same mask of a larger eps, or a neuron ticket.
    reaching = [
        Found(cell.row.found, cell.solution)
        for cell in (easier, known)
        if cell is not None
        and cell.solution is not None
        and cell.row.found is not None
        and cell.solution.error.upper <= eps
    ]
    bracket = bracket_width(
        search,
        refuted=0 if easier is None else easier.row.refuted,
        refuted_bound=0.0 if easier is None else easier.row.refuted_bound,
        found=min(reaching, key=lambda ticket: ticket.width, default=None),
        max_width=plan.max_width,
    )
    solution = None if bracket.found is None else bracket.found.solution
    row = WidthRow(
        series,
        draw,
        eps,
        bracket.refuted,
        bracket.refuted_bound,
        None if bracket.found is None else bracket.found.width,
        None if solution is None else solution.error.upper,
        None if solution is None else _kept(series, solution),
        () if solution is None else _kept_units(solution),
        bracket.tried,
        time.monotonic() - started,
    )
    return Cell(row, solution)


def _kept(series: Series, solution: Solution) -> int:
    """Units for neuron pruning, single weights for weight pruning."""
    mask = solution.mask
    return mask.kept_units if series.pruning == "neurons" else mask.kept_weights


def _kept_units(solution: Solution) -> tuple[int, ...]:
    """Indices of the units that the ticket uses."""
    alive = solution.mask.output & solution.mask.hidden.any(axis=1)
    return tuple(int(i) for i in np.flatnonzero(alive))
