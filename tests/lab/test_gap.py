"""The gap experiment end to end on a small plan, and its behaviour under Ctrl-C."""

from concurrent.futures import Executor, Future

import pytest

import slth
from slth.lab.cell import network_of, target_of
from slth.lab.gap import cells_of, plan_gap, run_gap
from slth.lab.pools import LentPool
from slth.lab.rows import Series


class Inline(Executor):
    """Runs every task when it is submitted."""

    def submit(self, call, /, *args, **kwargs):
        future = Future()
        future.set_result(call(*args, **kwargs))
        return future


class Interrupted(Inline):
    """Ctrl-C after a number of tasks."""

    def __init__(self, tasks):
        self.left = tasks

    def submit(self, call, /, *args, **kwargs):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().submit(call, *args, **kwargs)


@pytest.fixture(scope="module")
def plan():
    return plan_gap(2, "linear", 1 / 16, 1, seed=5, max_width=400, search_seconds=1.0)


@pytest.fixture(scope="module")
def finished(plan):
    cells = []
    return run_gap(plan, LentPool(Inline(), 2), cells.append), cells


def test_every_cell_is_done_once(plan, finished):
    run, cells = finished
    assert run.complete
    assert len(run.rows) == len(cells) == cells_of(plan) == 9
    assert len({(row.series, row.draw, row.eps) for row in run.rows}) == 9


def test_found_tickets_certify_at_the_stated_width(plan, finished):
    for cell in finished[1]:
        row = cell.row
        if row.found is None:
            continue
        assert cell.ticket.net == network_of(plan, row.series, row.draw, cell.ticket.net.width)
        assert cell.ticket.target == target_of(plan, row.draw)
        error = slth.certify(cell.ticket.masked, cell.ticket.target)
        assert error.upper <= row.eps
        assert row.found_error == pytest.approx(error.upper, rel=1e-9)
        # The last kept unit is the width.
        assert row.kept_units[-1] + 1 == row.found
        if row.series.pruning == "neurons":
            assert cell.ticket.mask.is_neuron_mask


def test_refuted_widths_lie_below_found_ones_and_grow_as_eps_falls(finished):
    run, _ = finished
    for series in run.plan.series:
        rows = sorted((r for r in run.rows if r.series == series), key=lambda r: -r.eps)
        assert all(r.found is None or r.refuted < r.found for r in rows)
        assert [r.refuted for r in rows] == sorted(r.refuted for r in rows)
        assert all(r.refuted == 0 or r.refuted_bound > r.eps for r in rows)


def test_weight_pruning_needs_no_more_width_than_neuron_pruning(finished):
    run, _ = finished
    for eps in run.plan.eps:
        (neurons,) = run.cell(Series("neurons", "linear"), eps)
        (weights,) = run.cell(Series("weights", "linear"), eps)
        assert neurons.found is None or weights.found <= neurons.found


def test_ctrl_c_keeps_what_is_done(plan):
    run = run_gap(plan, LentPool(Interrupted(3), 2), lambda cell: None)
    assert not run.complete
    assert 0 < len(run.rows) < cells_of(plan)


def test_one_dimension_prunes_neurons_and_weights_alike():
    plan = plan_gap(1, "relu", 1 / 16, 1, seed=2, max_width=64, search_seconds=2.0)
    run = run_gap(plan, LentPool(Inline(), 2), lambda cell: None)
    for eps in plan.eps:
        (neurons,), (weights,) = (run.cell(series, eps) for series in plan.series)
        assert neurons.found == weights.found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"d": 0}, "d out of range"),
        ({"readout": "tanh"}, "readout"),
        ({"eps_min": 0.0}, "eps_min"),
        ({"eps_min": 0.3}, "eps_min"),
        ({"eps_min": float("nan")}, "eps_min"),
        ({"draws": 0}, "draws"),
        ({"seed": -1}, "seed"),
        ({"max_width": 0}, "max_width"),
        ({"search_seconds": 0.0}, "search_seconds"),
    ],
)
def test_bad_plans_are_refused(arguments, words):
    with pytest.raises(slth.InvalidInput, match=words):
        plan_gap(**arguments)
