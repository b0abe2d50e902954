"""The dimension experiment finds the law that rows were drawn from."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.dimension import LAWS, Rows, compare, fitted, held_out, likelihoods, rows_of
from slth.lab.plan import Grid, Plan
from slth.lab.pools import LocalPool
from slth.lab.run import run_sweep
from slth.lab.store import Store


def drawn(law, constant, scatter, *, sandwich, seed=0):
    rng = np.random.default_rng(seed)
    d, width = (a.ravel() for a in np.meshgrid([3.0, 4, 5, 6, 8, 10], [30.0, 100, 1e3, 1e4, 1e5]))
    d, width = np.tile(d, 4), np.tile(width, 4)
    middle = np.minimum(0.0, constant + LAWS[law](d, width))
    value = middle + scatter * rng.standard_normal(d.size)
    below, above = rng.uniform(0.0005, sandwich, (2, d.size))
    return Rows(d, width, value - below, value + above)


@pytest.mark.parametrize(("law", "sandwich"), [("zonal", 0.001), ("small units", 1.5)])
def test_the_law_that_rows_follow_is_found_with_its_constant(law, sandwich):
    constant = -1.0
    rows = drawn(law, constant, 0.2, sandwich=sandwich)
    found, scatter = fitted(law, rows)
    assert found == pytest.approx(constant, abs=0.12)
    assert scatter == pytest.approx(0.2, abs=0.12)
    lines = compare(rows)
    assert lines[0][0] == law
    assert lines[0][4] == 0.0
    # Sandwiches of a factor of e^1.5 tell the laws apart still, by less.
    assert all(line[3] < lines[0][3] - 0.02 for line in lines[1:])


def test_the_likelihood_is_that_of_an_interval_far_tails_included():
    rows = Rows(np.full(4, 5.0), np.full(4, 100.0), np.array([-2.0, -2.0, 30.0, -50.0]),
                np.array([-1.0, -1.999, 30.5, -0.5]))  # fmt: skip
    middle = min(0.0, -0.3 + float(LAWS["one unit"](rows.d[:1], rows.width[:1])[0]))
    found = likelihoods("one unit", rows, -0.3, 0.7)
    for low, high, value in zip(rows.low[:2], rows.high[:2], found, strict=False):
        inside = norm.cdf((high - middle) / 0.7) - norm.cdf((low - middle) / 0.7)
        assert value == pytest.approx(math.log(inside), rel=1e-6)
    tail = norm.logsf((30.0 - middle) / 0.7)
    assert tail - 1e-3 * abs(tail) < found[2] <= tail
    assert found[3] == pytest.approx(norm.logcdf((-0.5 - middle) / 0.7), rel=1e-9)


def test_a_dimension_is_scored_by_what_the_others_say():
    rows = drawn("one unit", -0.5, 0.1, sandwich=0.01)
    moved = Rows(
        rows.d, rows.width, rows.low - 3.0 * (rows.d == 4), rows.high - 3.0 * (rows.d == 4)
    )
    scores = held_out("one unit", moved)
    others = np.mean([scores[d].mean() for d in (3.0, 5.0, 6.0, 8.0, 10.0)])
    assert scores[4.0].mean() < others - 1.0


def test_rows_are_read_from_a_store_without_contenders(tmp_path):
    grids = (
        Grid(("neurons",), ("linear",), (2, 3), width=(3,)),
        Grid(("neurons",), ("linear",), (3,), width=(4,), contender=("theorem",)),
    )
    pool = LocalPool(workers=1)
    assert run_sweep(Plan("tiny", grids, draws=2), tmp_path / "tiny.db", pool)
    pool.close()
    with Store.open(tmp_path / "tiny.db") as store:
        rows = rows_of(store, "linear")
        assert rows_of(store, "relu").d.size == 0
        errors = store.columns("error_upper", contender=None)["error_upper"]
    assert sorted(rows.d) == [2.0, 2.0, 3.0, 3.0]
    assert (rows.low < rows.high).all()
    assert np.sort(np.exp(rows.high)) == pytest.approx(np.sort(errors.astype(float)), rel=1e-3)
