"""The paper's figures show what they say: subsets, bins, state lines."""

import dataclasses

import numpy as np
import pytest

from slth.lab.rows import GapRun, Series
from slth.network import ReLUNetwork, neuron, random_network
from slth.report.along import interval
from slth.report.broken_bins_figure import bin_edges, broken_bins_panel, broken_by_step
from slth.report.pruning_figure import best_subset
from slth.report.shown_ticket import RADIUS, ShownTicket, choose_ticket
from slth.theory.broken import affine_fit
from tests.report.synthetic import run_with_ticket, synthetic_run


def test_best_subset_finds_the_planted_one():
    hidden = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.3], [1.2, 1.6], [0.1, -1.0]])
    net = ReLUNetwork(hidden, [0.7, 0.4, -1.1, 0.3, 0.9])
    angles = np.linspace(-np.pi, np.pi, 400)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    # Units 1 and 3 are parallel: 0.4 relu(v) + 0.3 relu(2 v) = relu(v).
    wanted = neuron([0.6, 0.8])(points)
    assert best_subset(net, points, wanted).tolist() == [False, True, False, True, False]


def _ticket(target: list[float], hidden: np.ndarray, output: np.ndarray, eps: float) -> ShownTicket:
    row = dataclasses.replace(
        synthetic_run().rows[0], eps=eps, kept_units=tuple(range(len(output)))
    )
    return ShownTicket(row, neuron(target, normalize=True), ReLUNetwork(hidden, output))


@pytest.mark.parametrize("angle", np.linspace(0.05, np.pi, 12))
@pytest.mark.parametrize("eps", [0.2, 0.02])
def test_bins_tile_the_interval_around_the_kink(angle, eps):
    direction = [float(np.cos(angle)), float(np.sin(angle))]
    ticket = _ticket(direction, np.zeros((0, 2)), np.zeros(0), eps)
    edges, half = bin_edges(ticket, 0), interval(RADIUS)
    assert edges[0] == -half
    assert edges[-1] == half
    widths = np.diff(edges)
    assert (widths > 0).all()
    assert widths[1:-1] == pytest.approx(np.full(max(0, len(widths) - 2), widths.max()))
    kink = -direction[1] / direction[0]
    if abs(kink) < half and len(widths) > 2:
        inside = np.searchsorted(edges, kink) - 1
        if 0 < inside < len(widths) - 1:
            assert (edges[inside] + edges[inside + 1]) / 2 == pytest.approx(kink, abs=1e-9)


def test_the_kink_alone_breaks_one_bin_and_its_copy_mends_it():
    target = [0.8, 0.6]
    ticket = _ticket(target, np.array([[1.6, 1.2]]), np.array([0.5]), 0.01)
    assert broken_by_step(ticket, 0) == [1, 0]


def test_a_unit_that_bends_elsewhere_breaks_a_second_bin():
    target = [0.8, 0.6]
    # Bins of length 4/15 about -0.75: 0.85 is in the middle of another.
    hidden = np.array([[0.9, -0.9 * 0.85], [0.8, 0.6]])
    ticket = _ticket(target, hidden, np.array([2.0, 1.0]), 0.01)
    assert broken_by_step(ticket, 0) == [1, 2, 1]


def test_a_kink_a_quarter_inside_its_bin_is_worth_three_thirty_seconds():
    """The constant that the bins' length rests on (Lemma 6), for a jump of 1 in a bin of 1."""
    for place in (0.25, 0.5, 0.75):
        values = np.maximum(np.array([0.0, place, 1.0]) - place, 0.0)
        assert affine_fit([0.0, place, 1.0], values).error >= 3 / 32 - 1e-15
    assert affine_fit([0.0, 0.25, 1.0], [0.0, 0.0, 0.75]).error == pytest.approx(3 / 32)


@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.parametrize("draw", range(2))
def test_a_ticket_within_eps_ends_with_no_broken_bin(readout, draw):
    ticket = choose_ticket(run_with_ticket(readout, draw))
    assert ticket is not None
    assert ticket.row.draw == draw
    states = broken_by_step(ticket, 0)
    assert len(states) == len(ticket.row.kept_units) + 1
    assert states[-1] == 0
    assert "every line ends at 0" in broken_bins_panel(ticket).caption


def test_a_failed_ticket_is_not_said_to_end_at_0():
    run = run_with_ticket()
    poor = dataclasses.replace(run.rows[0], kept_units=(), eps=0.05)
    ticket = choose_ticket(dataclasses.replace(run, rows=(poor,)))
    assert ticket is not None
    assert broken_by_step(ticket, 0) == [1]
    assert "a line does not end at 0" in broken_bins_panel(ticket).caption


def test_chosen_ticket_is_the_run_s_own_network():
    run = synthetic_run(d=5, draws=2)
    ticket = choose_ticket(run)
    assert ticket is not None
    assert ticket.row.eps == min(run.plan.eps)
    assert ticket.row.series == Series("neurons", "linear")
    net = random_network(5, ticket.row.found or 0, run.plan.seed + ticket.row.draw)
    np.testing.assert_array_equal(ticket.pruned.hidden, net.hidden[[0, 2, 5]])
    np.testing.assert_array_equal(ticket.pruned.output, net.output[[0, 2, 5]])


def test_no_ticket_without_a_family_or_a_find():
    assert choose_ticket(synthetic_run(d=1)) is None
    assert choose_ticket(GapRun(synthetic_run().plan, (), False, 0.0)) is None
