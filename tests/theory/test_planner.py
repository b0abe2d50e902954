"""The planner: one row for each task, each number that of the function it names."""

import math

import pytest

from slth import theory


def rows(task, says, **options):
    chosen = {"d": 10, "eps": 0.01, "delta": 0.05, **options}
    return [r for r in theory.plan(**chosen) if (r.task, r.says) == (task, says)]


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_every_task_has_a_row_with_status_and_source(readout):
    plan = theory.plan(10, 0.01, 0.05, readout=readout)
    assert {row.task.split(",")[0] for row in plan} >= {
        "neuron pruning",
        "one unit kept",
        "weight pruning",
        "random features",
    }
    assert all(row.source for row in plan)
    assert all((row.status is None) == (row.says == "no statement") for row in plan)
    assert any(row.status is theory.Evidence.CONJECTURED for row in plan)


def test_linear_readout_needs_theorem_1_and_the_same_for_random_features():
    proven = theory.covering_width(10, 0.01, 2.0, 0.05).value
    for task in ("neuron pruning", "random features, output weights refitted"):
        (row, *_) = rows(task, "needs more than", readout="linear", radius=2.0)
        assert (row.width, row.status) == (proven, theory.Evidence.PROVEN)
    (route,) = rows(
        "neuron pruning, paper's route", "needs more than", readout="linear", radius=2.0
    )
    assert route.status is theory.Evidence.CONDITIONAL


def test_relu_readout_has_no_lower_bound_for_neurons_and_says_so():
    (row,) = rows("neuron pruning", "no statement")
    assert math.isnan(row.width)
    assert "linear readout" in row.note
    assert row.as_row()["width"] is None


def test_weight_pruning_is_measured_in_its_range_and_conjectured_outside():
    proven, measured = rows("weight pruning", "suffices")
    assert proven.status is theory.Evidence.PROVEN
    assert measured.status is theory.Evidence.MEASURED
    assert measured.width < proven.width / 5
    for outside in ({"eps": 1e-8}, {"d": 200}, {"eps": 0.5}, {"radius": 1e5}):
        assert rows("weight pruning", "suffices", **outside)[1].status is (
            theory.Evidence.CONJECTURED
        )


@pytest.mark.parametrize(
    ("d", "eps", "mean"),
    [
        (2, 1e-2, 26.6),
        (2, 1e-4, 41.6),
        (2, 1e-6, 59.8),
        (5, 1e-3, 51.0),
        (10, 1e-2, 59.6),
        (10, 1e-3, 82.0),
        (10, 1e-6, 147.8),
        # Three cases measured after the fit.
        (3, 1e-3, 41.3),
        (7, 1e-5, 100.0),
        (20, 1e-3, 133.0),
    ],
)
def test_the_measured_law_is_within_ten_percent_of_what_was_measured(d, eps, mean):
    _, measured = rows("weight pruning", "suffices", d=d, eps=eps)
    assert measured.width == pytest.approx(mean, rel=0.10)


def test_a_diagonal_target_binds_weight_masks_under_the_linear_readout():
    task = "weight pruning, target (1, ..., 1)/sqrt d"
    (row,) = rows(task, "needs more than", d=2, eps=1e-4, readout="linear", radius=2.0)
    # The chance that one of N units bends in the arc of half-angle 2 arctan(2 eps / R).
    cut = 4.0 * math.atan(2.0 * 1e-4 / 2.0) / math.pi
    assert 1.0 - (1.0 - cut) ** row.width <= 0.05
    assert 1.0 - (1.0 - cut) ** (row.width + 2) > 0.05
    # In d dimensions only the part of the target in one plane counts.
    (wide,) = rows(task, "needs more than", d=8, eps=1e-4, readout="linear", radius=2.0)
    assert wide.width == pytest.approx(row.width / 2, rel=0.02)
    assert rows(task, "needs more than", d=50, eps=0.3, readout="linear") == []


def test_a_statement_that_says_nothing_is_vacuous():
    (row, *_) = rows("neuron pruning", "needs more than", d=2, eps=0.9, readout="linear")
    assert row.vacuous
    assert not rows("neuron pruning", "suffices")[0].vacuous
