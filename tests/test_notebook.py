"""What results say of themselves: the numbers they hold, in text and in escaped, closed HTML."""

import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import slth
from slth.notebook import facts_html


class Cells(HTMLParser):
    """Texts by tag, and whether every tag was closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def solution():
    net = slth.random_network(d=2, width=12, seed=1)
    return slth.prune_neurons(net, slth.neuron([0.6, 0.8]))


def test_every_text_is_escaped():
    html = facts_html("<script>", [("<b>", '"&<i>'), ("number", 3)])
    cells = Cells(html)
    assert cells.tags == {"table", "caption", "tbody", "tr", "th", "td"}
    assert cells.texts == ["<script>", "<b>", '"&<i>', "number", "3"]


def test_a_solution_tells_status_error_bound_and_what_is_kept(solution):
    text, cells = repr(solution), Cells(solution._repr_html_())
    assert text.startswith("Solution(optimal: Mask(kept ")
    assert f"{solution.error.upper:.6g}" in text
    assert f"{solution.bound:.6g}" in text
    said = " ".join(cells.texts)
    assert f"{solution.error.upper:.9g}" in said
    assert f"error >= {solution.bound:.9g}" in said
    assert f"{solution.mask.kept_units} of 12 units" in said
    assert "no mask of that kind has a smaller error" in said


def test_nothing_proven_is_said_so(solution):
    unproven = slth.Solution(
        solution.mask, solution.error, 0.0, slth.Status.FEASIBLE, solution.pruned
    )
    assert "nothing proven" in unproven._repr_html_()


def test_an_enclosure_tells_its_bounds_and_witness():
    wide = slth.Enclosure(0.25, 0.5, np.arange(40.0), slth.Status.OPEN, "a <method>")
    assert repr(wide) == "Enclosure(0.25 <= error <= 0.5, open)"
    said = " ".join(Cells(wide._repr_html_()).texts)
    assert "a <method>" in said
    assert "..." in said
    none = slth.Enclosure(0.0, 0.5, None, slth.Status.OPEN, "m")
    assert "no point" in none._repr_html_()


@pytest.mark.parametrize(("width", "readout"), [(0, "linear"), (12, "relu")])
def test_a_network_tells_its_shape(width, readout):
    net = slth.random_network(d=3, width=width, seed=0, readout=readout)
    said = " ".join(Cells(net._repr_html_()).texts)
    assert f"float64 [{width}, 3]" in said
    assert ("relu of the sum" in said) == (readout == "relu")
    assert repr(net) == f"ReLUNetwork(width={width}, d=3, readout='{readout}')"


def test_a_ticket_and_its_verdict_are_short(solution):
    net = slth.random_network(d=2, width=12, seed=1)
    ticket = slth.Ticket.from_solution(solution, net, slth.neuron([0.6, 0.8]))
    assert len(repr(ticket)) < 200
    assert repr(ticket).startswith("Ticket(neuron mask, optimal: Mask(")
    verdict = slth.check(ticket)
    said = Cells(verdict._repr_html_()).texts
    assert said[0] == f"Verdict: {verdict.outcome}"
    assert [text for text in said if text in ("verified", "refused", "not covered")] == [
        str(claim.outcome) for claim in verdict.claims
    ]


def test_showing_results_loads_no_plotting_library():
    code = (
        "import slth, sys; net = slth.random_network(2, 3, 0); net._repr_html_(); "
        "slth.certify(net, slth.neuron([1.0, 0.0]))._repr_html_(); "
        "sys.exit('plotly' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
