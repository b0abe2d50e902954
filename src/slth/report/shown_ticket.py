"""Which neuron ticket of the run the paper's figures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slth.lab.cell import target_of
from slth.lab.rows import GapRun, Series
from slth.network import ReLUNetwork, random_network
from slth.report.along import interval

# The radius of the ball that the figures along input families show: Theorem 1 asks for R >= 2.
RADIUS = 2.0


@dataclass(frozen=True, eq=False)
class ShownTicket:
    """A neuron ticket with its target.

    Attributes:
        draw: which draw of the run it was found in.
        eps: the error it was asked for, per unit of radius.
        net: the network it was found in.
        units: indices of the kept units there, ascending.
        target: the neuron to approximate.
    """

    draw: int
    eps: float
    net: ReLUNetwork
    units: tuple[int, ...]
    target: ReLUNetwork

    @cached_property
    def pruned(self) -> ReLUNetwork:
        """The kept units only, in their order."""
        kept = np.array(self.units, dtype=np.int64)
        return ReLUNetwork(self.net.hidden[kept], self.net.output[kept], self.net.readout)


def choose_ticket(run: GapRun) -> ShownTicket | None:
    """The ticket at the smallest eps found, of the first draw that found one there and whose
    target has its breakpoint inside I_R on the first family (else of the first draw)."""
    series = Series("neurons", run.plan.readout)
    found = [row for row in run.rows if row.series == series and row.found is not None]
    if not found or run.plan.d < 2:
        return None
    smallest = min(row.eps for row in found)
    rows = sorted((row for row in found if row.eps == smallest), key=lambda row: row.draw)
    visible = [row for row in rows if bends(target_of(run.plan, row.draw))]
    row = (visible or rows)[0]
    assert row.found is not None
    plan = run.plan
    net = random_network(plan.d, row.found, plan.seed + row.draw, plan.readout)
    return ShownTicket(row.draw, row.eps, net, row.kept_units, target_of(plan, row.draw))


def bends(target: ReLUNetwork) -> bool:
    """Whether the target's breakpoint on the first family lies inside I_R."""
    slope, offset = target.hidden[0, :2]
    return abs(offset) < interval(RADIUS) * abs(slope)
