"""The paper's figures show what they say: subsets, bins, state lines."""

import dataclasses

import numpy as np
import plotly.graph_objects as go
import pytest

from slth import theory
from slth.errors import InvalidInput
from slth.lab.rows import GapRun
from slth.network import Mask, ReLUNetwork, neuron, random_network
from slth.report import figures
from slth.report.along import interval
from slth.report.bin_history import bin_history, lay_bins
from slth.report.kept_figure import Kept, kept_page, kept_panel
from slth.report.pruning_figure import best_subset
from slth.report.shown_ticket import RADIUS, ShownTicket, choose_ticket
from slth.report.state_lines_figure import state_lines_panel
from slth.report.steps_figure import sentence, steps_panel
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
    net, wanted = ReLUNetwork(hidden, output), neuron(target, normalize=True)
    return ShownTicket(0, eps, net, tuple(range(len(output))), wanted)


def broken_by_step(ticket: ShownTicket, family: int) -> list[int]:
    return bin_history(ticket.pruned, ticket.target, family, ticket.eps).counts.tolist()


@pytest.mark.parametrize("angle", np.linspace(0.05, np.pi, 12))
@pytest.mark.parametrize("eps", [0.2, 0.02])
def test_bins_tile_the_interval_around_the_kink(angle, eps):
    direction = [float(np.cos(angle)), float(np.sin(angle))]
    bins, half = lay_bins(neuron(direction, normalize=True), 0, eps), interval(RADIUS)
    edges = bins.edges
    assert edges[0] >= -half - 1e-12
    assert edges[-1] <= half + 1e-12
    assert edges[0] + half < bins.length
    assert half - edges[-1] < bins.length
    kink = -direction[1] / direction[0]
    if abs(kink) < half:
        middle = np.abs(edges[:-1] + bins.length / 2 - kink).min()
        # In the middle of a bin, unless it is within half a bin of the interval's end.
        if half - abs(kink) > bins.length / 2 + 1e-9:
            assert middle == pytest.approx(0, abs=1e-9)
        else:
            assert middle <= bins.length / 2 + 1e-9


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
    assert ticket.draw == draw
    states = broken_by_step(ticket, 0)
    assert len(states) == len(ticket.units) + 1
    assert states[-1] == 0
    assert "every line of the ticket ends at 0" in state_lines_panel(ticket).caption


def test_a_failed_ticket_is_not_said_to_end_at_0():
    run = run_with_ticket()
    poor = dataclasses.replace(run.rows[0], kept_units=(), eps=0.05)
    ticket = choose_ticket(dataclasses.replace(run, rows=(poor,)))
    assert ticket is not None
    assert broken_by_step(ticket, 0) == [1]
    assert "a line of the ticket does not end at 0" in state_lines_panel(ticket).caption


def test_chosen_ticket_is_the_run_s_own_network():
    run = synthetic_run(d=5, draws=2)
    ticket = choose_ticket(run)
    assert ticket is not None
    assert ticket.eps == min(run.plan.eps)
    assert ticket.units == (0, 2, 5)
    net = random_network(5, ticket.net.width, run.plan.seed + ticket.draw)
    assert ticket.net == net
    np.testing.assert_array_equal(ticket.pruned.hidden, net.hidden[[0, 2, 5]])
    np.testing.assert_array_equal(ticket.pruned.output, net.output[[0, 2, 5]])


def test_no_ticket_without_a_family_or_a_find():
    assert choose_ticket(synthetic_run(d=1)) is None
    assert choose_ticket(GapRun(synthetic_run().plan, (), False, 0.0)) is None


@pytest.mark.parametrize(("d", "eps"), [(2, 0.01), (4, 0.02), (5, 0.05)])
@pytest.mark.parametrize("seed", range(4))
def test_the_history_is_the_pruning_process_and_the_chain_stays_below(d, eps, seed):
    net = random_network(d, 60, seed)
    target = neuron(np.random.default_rng(seed).standard_normal(d), normalize=True)
    for family in range(d // 2):
        run = bin_history(net, target, family, eps)
        path = theory.pruning_process(
            net.hidden,
            net.output,
            target.hidden[0],
            family=family,
            bins=run.bins,
            tolerance=run.tolerance,
            keep_states=True,
        )
        np.testing.assert_array_equal(run.broken, path.state)
        np.testing.assert_array_equal(run.hit, path.bin_of)
        if run.processes is not None:
            cap = run.processes.chain_law.cap
            np.testing.assert_array_equal(run.processes.capped, theory.capped_process(path, cap))
            assert (run.processes.chain <= np.minimum(run.counts, cap)).all()


def test_only_the_bin_a_unit_bends_in_changes_and_the_sentence_says_how():
    run = run_with_ticket()
    ticket = choose_ticket(run)
    assert ticket is not None
    history = bin_history(ticket.pruned, ticket.target, 0, ticket.eps)
    for step in range(1, len(ticket.units) + 1):
        changed = np.flatnonzero(history.broken[step] != history.broken[step - 1])
        assert set(changed) <= {history.hit[step - 1]}
        said = sentence(history, ticket, step)
        assert f"Unit {ticket.units[step - 1]} bends" in said
        move = int(history.counts[step] - history.counts[step - 1])
        assert ("breaks it" in said, "mends it" in said) == (move > 0, move < 0)
        assert f"{history.counts[step]} of" in said


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_steps_hold_every_state_and_start_at_the_last(readout):
    ticket = choose_ticket(run_with_ticket(readout))
    assert ticket is not None
    panel = steps_panel(ticket)
    slider = panel.figure.to_plotly_json()["layout"]["sliders"][0]
    units = len(ticket.units)
    assert slider["active"] == units
    assert len(slider["steps"]) == len(panel.table.rows) == units + 1
    history = bin_history(ticket.pruned, ticket.target, 0, ticket.eps)
    for step, entry in enumerate(slider["steps"]):
        background, broken, unbroken = entry["args"][0]["y"][2:5]
        assert [b == 1.0 for b in background] == history.broken[step].tolist()
        assert [b is not None for b in broken] == history.broken[step].tolist()
        assert [b is None for b in unbroken] == history.broken[step].tolist()


def test_public_figures_are_figures_with_real_colours():
    net, target = random_network(4, 50, 1), neuron([0.5, 0.5, 0.5, 0.5])
    mask = Mask.of_units(np.arange(50) % 7 == 0, 4)
    drawn = [
        figures.pruned_network(net, target, mask),
        figures.state_lines(net, target, mask, 0.01),
        figures.breakpoint_alignment(net, target, mask, 0.01),
        figures.pruning_steps(net, target, mask, 0.01, family=1),
        figures.gap(synthetic_run()),
    ]
    for figure in drawn:
        assert isinstance(figure, go.Figure)
        assert "var(" not in str(figure.to_json())
    assert len(drawn[3].to_plotly_json()["layout"]["sliders"][0]["steps"]) == mask.kept_units + 1
    lines = {t["name"] for t in drawn[1].to_plotly_json()["data"] if t["showlegend"]}
    assert {"ticket", "as drawn", "chain", "capped process"} == lines


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eps": 0.0}, "eps"),
        ({"target": neuron([1.0, 0.0])}, "one neuron"),
        ({"target": random_network(4, 3, 0)}, "one neuron"),
        ({"mask": Mask.of_units(np.ones(3, dtype=bool), 4)}, "mask incompatible"),
        ({"mask": Mask(np.eye(50, 4, dtype=bool), np.ones(50, dtype=bool))}, "whole units"),
        ({"family": 2}, "family"),
    ],
)
def test_figures_refuse_what_they_cannot_draw(change, words):
    asked = {
        "net": random_network(4, 50, 1),
        "target": neuron([1.0, 0.0, 0.0, 0.0]),
        "mask": Mask.of_units(np.ones(50, dtype=bool), 4),
        "eps": 0.1,
    }
    with pytest.raises(InvalidInput, match=words):
        figures.pruning_steps(**(asked | change))


def test_alignment_of_an_empty_mask_is_refused():
    net = random_network(2, 5, 0)
    with pytest.raises(InvalidInput, match="keeps no unit"):
        figures.breakpoint_alignment(
            net, neuron([1.0, 0.0]), Mask.of_units(np.zeros(5, dtype=bool), 2), 0.1
        )


def test_both_curves_of_what_is_kept():
    points = [
        Kept(name, kind, share, error, 0.5 * error)
        for name in ("a <b>", "c")
        for kind, error in (("neurons", 0.5), ("weights", 0.125))
        for share in (0.75, 0.25)
    ]
    panel = kept_panel(points)
    curves = {curve.name: list(curve.x) for curve in panel.figure.data}
    assert list(curves) == ["a <b>, neurons", "a <b>, weights", "c, neurons", "c, weights"]
    assert all(shares == [0.25, 0.75] for shares in curves.values())
    assert next(entry.html for entry in panel.legend) == "a &lt;b&gt;, neurons"
    page = kept_page(points)
    assert page.startswith("<!DOCTYPE html>")
    assert "Certified error against what is kept" in page
    assert "a <b>" not in page.split("<script>")[0]
