"""The figures as Plotly figure objects, for notebooks and papers: `figure.show()`,
`figure.write_html(...)`, `figure.write_image(...)`.

The page draws the same figures; there their colours follow the reader's scheme, here they are those
of the light scheme. Figures along input families show the ball of radius R = 2.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from slth.errors import InvalidInput, require_positive
from slth.lab.rows import GapRun
from slth.network import Mask, ReLUNetwork
from slth.report.alignment_figure import alignment_panel
from slth.report.gap_figure import gap_panel
from slth.report.image import standalone
from slth.report.pruning_figure import functions_figure
from slth.report.shown_ticket import ShownTicket
from slth.report.state_lines_figure import state_lines_panel
from slth.report.steps_figure import steps_panel

__all__ = ["breakpoint_alignment", "gap", "pruned_network", "pruning_steps", "state_lines"]


def gap(run: GapRun) -> go.Figure:
    """Width against error: found and refuted widths of every series of a gap run, log-log."""
    return standalone(gap_panel(run).figure)


def pruned_network(net: ReLUNetwork, target: ReLUNetwork, mask: Mask) -> go.Figure:
    """Figure 1 of the paper as functions: target, network and pruned network on a great circle
    through w* (unit sphere; d = 1: on [-1, 1]).

    Raises:
        InvalidInput: `target` is not one neuron of the network's dimension, or the mask does not
            fit the network.
    """
    _require_neuron(net, target)
    return standalone(functions_figure(net, target, mask))


def state_lines(net: ReLUNetwork, target: ReLUNetwork, mask: Mask, eps: float) -> go.Figure:
    """Figure 2 of the paper: stacked birth-death state lines, one for each of the first six input
    families x_i(t) = t e_{2i-1} + e_{2i}: the number of broken bins (Definition 2) after each unit
    of the ticket, and after the network's first units as they come with the capped process and
    the (q,p,T)-chain on the same draws (Definitions 3, 4; linear readout).

    Args:
        net, target: d >= 2; the target is one neuron of norm 1.
        mask: a neuron mask.
        eps: uniform error per unit of radius; bins have length R eps / c, tolerance R eps.

    Raises:
        InvalidInput: d < 2, not a neuron mask, not one target neuron, eps <= 0.
    """
    return standalone(state_lines_panel(_ticket(net, target, mask, eps)).figure)


def breakpoint_alignment(
    net: ReLUNetwork, target: ReLUNetwork, mask: Mask, eps: float
) -> go.Figure:
    """Figure 3 of the paper: functions, slope jumps at breakpoints, and residual along
    x_1(t) = t e_1 + e_2, with the tube +-eps ||x_1(t)||. Arguments as in `state_lines`; at least
    one unit kept."""
    ticket = _ticket(net, target, mask, eps)
    if not ticket.units:
        raise InvalidInput(
            "the mask keeps no unit",
            got="an empty mask",
            expected="at least one kept unit",
            fix="There are no breakpoints to draw.",
        )
    return standalone(alignment_panel(ticket).figure)


def pruning_steps(
    net: ReLUNetwork, target: ReLUNetwork, mask: Mask, eps: float, family: int = 0
) -> go.Figure:
    """The pruning process on one family, step by step: a slider over the order of selection (0 to
    the number of kept units), the residual, and which bins are broken. Arguments as in
    `state_lines`; `family` counts from 0."""
    ticket = _ticket(net, target, mask, eps)
    if not 0 <= family < net.d // 2:
        raise InvalidInput(
            "no such input family",
            got=family,
            expected=f"0 <= family < floor(d / 2) = {net.d // 2}",
            fix="Families are coordinate pairs, counted from 0.",
        )
    return standalone(steps_panel(ticket, family).figure)


def _ticket(net: ReLUNetwork, target: ReLUNetwork, mask: Mask, eps: float) -> ShownTicket:
    eps = require_positive("eps", eps)
    _require_neuron(net, target)
    mask.require_fits(net)
    if net.d < 2 or not mask.is_neuron_mask:
        raise InvalidInput(
            "no pruning process to draw",
            got=f"d = {net.d}, {'a' if mask.is_neuron_mask else 'not a'} neuron mask",
            expected="d >= 2 and a mask that keeps or drops whole units",
            fix="Input families are coordinate pairs; use Mask.of_units(keep, d).",
        )
    units = tuple(int(unit) for unit in np.flatnonzero(mask.output))
    return ShownTicket(0, eps, net, units, target)


def _require_neuron(net: ReLUNetwork, target: ReLUNetwork) -> None:
    if target.width != 1 or target.d != net.d or target.output[0] != 1.0:
        raise InvalidInput(
            "the target is not one neuron of the network's dimension",
            got=f"{target!r} for {net!r}",
            expected=f"slth.neuron(w) with w in R^{net.d}",
            fix="These figures follow the paper's single target.",
        )
