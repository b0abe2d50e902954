"""Zonal proofs: what the checker encloses, what it verifies, and what it refuses."""

from __future__ import annotations

import dataclasses
import functools
import math

import mpmath
import numpy as np
import pytest

import slth
from slth.check import Outcome, check
from slth.errors import InvalidInput
from slth.latitudes import Load, moments, steps
from slth.limits import Deadline
from slth.proof import ZonalProof
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.recording import zonal_proof
from slth.pruning.neurons.zonal import zonal_bound
from slth.ticket import Ticket
from slth.zonal_check import _spent, _Units
from tests.ticket_files import claim

EVEN = Load(lambda left, right: right - left, 0.1)


@functools.cache
def proven(d, width, seed=1):
    """A network, a target, a bound and its proof."""
    net, target = (
        slth.random_network(d, width, seed),
        slth.neuron(np.arange(1.0, d + 1.0), normalize=True),
    )
    bound, proof = zonal_proof(zonal_bound(Problem(net, target), Deadline()))
    assert proof is not None
    return net, target, bound, proof


def ticket(net, target, bound, proof, **parts) -> Ticket:
    mask = slth.Mask.of_units(np.zeros(net.width, dtype=bool), net.d)
    return claim(net, target, mask, 0.0, 1e6, bound=bound, refutation=proof, **parts)


def verdict(*parts, **named):
    return check(ticket(*parts, **named))["bound"]


def seen_by_quadrature(d, t, theta):
    """E |<v, x>|/2 on the latitude t, by mpmath's own quadrature: the even part of E relu."""
    with mpmath.workdps(20):
        along = mpmath.cos(theta) * t
        across = mpmath.sin(theta) * mpmath.sqrt(1 - mpmath.mpf(t) ** 2)
        density = lambda phi: mpmath.sin(phi) ** (d - 3)  # noqa: E731
        kink = mpmath.acos(max(-1, min(1, -along / across))) if across else mpmath.pi / 2
        ends = sorted({mpmath.mpf(0), kink, mpmath.pi})
        value = mpmath.quad(lambda phi: abs(along + across * mpmath.cos(phi)) * density(phi), ends)
        return float(value / mpmath.quad(density, [0, mpmath.pi]) / 2)


@pytest.mark.parametrize("d", [3, 4, 7])
def test_cells_hold_what_units_see(d):
    latitudes, weights = [0.0, 0.05, 0.3], [1.0, -2.0, 0.7]
    found = steps(d, latitudes, weights, EVEN, 0.002, 2000)
    assert found.sines[0] == 0.0
    assert found.sines[-1] == 1.0
    assert (np.diff(found.sines) > 0).all()
    total, variation = moments(latitudes, weights)
    assert 0.0 <= variation - 3.7 < 1e-12
    assert 0.0 <= 0.5 * (-2.0 * 0.05 + 0.7 * 0.3) - total < 1e-15
    rng = np.random.default_rng(d)
    kinks = [math.asin(t) + shift for t in latitudes[1:] for shift in (-1e-7, 1e-7)]
    for theta in [*rng.uniform(0, math.pi / 2, 3), *rng.uniform(0, 0.1, 2), *kinks]:
        value = sum(
            w * seen_by_quadrature(d, t, float(theta))
            for t, w in zip(latitudes, weights, strict=True)
        )
        cell = np.searchsorted(found.sines, math.sin(theta)) - 1
        assert found.low[cell] - 1e-14 <= value <= found.high[cell] + 1e-14
        assert found.high[cell] - found.low[cell] < 0.03


def test_cancellation_is_kept_far_from_the_axis():
    # The divided difference in t^2 of six points vanishes on polynomials of degree below 12.
    squares = [(0.02 * k) ** 2 for k in range(6)]
    weights = [1e-9 / math.prod(a - b for b in squares if b != a) * 1e-9 for a in squares]
    size = sum(map(abs, weights))
    found = steps(
        5, [0.02 * k for k in range(6)], weights, Load(EVEN.within, 1e3), 2e-7 * size, 2000
    )
    far = found.sines[:-1] > 0.7
    assert np.abs(np.r_[found.low[far], found.high[far]]).max() < 1e-7 * size


def test_what_units_spend_is_rounded_outward():
    net = slth.random_network(4, 16, 1)
    units = _Units.of(net)
    found = steps(4, [0.0, 0.2], [1.0, -1.5], EVEN, 0.002, 2000)
    axis, none = units.rows[0], np.zeros(16, dtype=bool)
    exact = 0.0
    for row, output in zip(net.hidden, net.output, strict=True):
        unit = row / np.linalg.norm(row)
        theta = math.atan2(np.linalg.norm(unit - (unit @ axis) * axis), abs(unit @ axis))
        value = seen_by_quadrature(4, 0.0, theta) - 1.5 * seen_by_quadrature(4, 0.2, theta)
        exact += max(0.0, output * np.linalg.norm(row) * value)
    spent = _spent(found, units, axis, units.signs, none)
    assert exact * (1 - 1e-12) <= spent.most <= 1.05 * exact
    assert 0.95 * exact <= spent.least <= exact * (1 + 1e-12)
    half = np.arange(16) < 8
    parts = _spent(found, units, axis, units.signs, half).with_also(
        _spent(found, units, axis, units.signs, ~half)
    )
    assert parts == pytest.approx(spent, rel=1e-9)


@pytest.mark.parametrize(("d", "width"), [(3, 120), (5, 1000), (12, 120)])
def test_written_read_and_verified(d, width, tmp_path):
    net, target, bound, proof = proven(d, width)
    path = tmp_path / "zonal.ticket"
    ticket(net, target, bound, proof, source=(d, width, 1)).save(path)
    assert path.stat().st_size < 8000
    again = Ticket.load(path)
    assert isinstance(again.refutation, ZonalProof)
    found = check(again)["bound"]
    assert found.outcome is Outcome.VERIFIED
    assert found.reason == f"zonal proof with {proof.leaves} steps"
    # The checker leaves out at once what earlier steps dropped, so it may reach beyond the claim.
    assert verdict(net, target, 1.5 * bound, proof).outcome is Outcome.REFUSED
    assert verdict(net, target, 3.0 * bound, proof, radius=3.0).outcome is Outcome.VERIFIED


def test_changed_proofs_are_refused():
    net, target, bound, proof = proven(5, 120)
    changed = {
        "weights turned": dataclasses.replace(proof, weight=-proof.weight),
        "a weight": dataclasses.replace(
            proof, weight=proof.weight * np.where(np.arange(proof.weight.shape[0]) == 0, 1.1, 1.0)
        ),
        "a latitude": dataclasses.replace(proof, latitude=proof.latitude * 0.9),
        "no screening": dataclasses.replace(
            proof, unit=proof.unit[-1:], measure=proof.measure[-1:]
        ),
        "a missing unit": dataclasses.replace(proof, unit=np.r_[np.int32(120), proof.unit[1:]]),
        "weak units": dataclasses.replace(
            proof,
            unit=np.r_[np.argsort(np.abs(net.output))[: proof.leaves - 1], -1].astype(np.int32),
        ),
    }
    for what, other in changed.items():
        assert verdict(net, target, bound, other).outcome is Outcome.REFUSED, what


def enclosed(monkeypatch, *parts) -> tuple[Outcome, list[float]]:
    """A verdict, and how uncertain the enclosures were allowed to be that it took."""
    taken = []

    def noted(d, latitudes, weights, load, allowed, most):
        taken.append(allowed)
        return steps(d, latitudes, weights, load, allowed, most)

    monkeypatch.setattr("slth.zonal_check.steps", noted)
    return verdict(*parts).outcome, taken


def test_what_no_enclosure_can_save_is_refused_without_one(monkeypatch):
    net, target, bound, proof = proven(5, 120)
    last = dataclasses.replace(proof, unit=np.r_[proof.unit[:-2], np.int32(120), np.int32(-1)])
    for wanted, other in [
        (bound, dataclasses.replace(proof, weight=-proof.weight)),
        (bound, last),
        (2.0 * bound, proof),
    ]:
        assert enclosed(monkeypatch, net, target, wanted, other) == (Outcome.REFUSED, [])


def test_measures_are_enclosed_no_sharper_than_steps_need(monkeypatch):
    net, target, bound, proof = proven(5, 120)
    outcome, taken = enclosed(monkeypatch, net, target, 0.5 * bound, proof)
    assert outcome is Outcome.VERIFIED
    # One enclosure of each measure.
    assert len(taken) == proof.start.shape[0] - 1
    outcome, sharper = enclosed(monkeypatch, net, target, bound, proof)
    assert outcome is Outcome.VERIFIED
    assert min(sharper) < 0.5 * min(taken)
    # A tenth too much is told from the loose ones; two hundredths are refused too.
    outcome, loose = enclosed(monkeypatch, net, target, 1.1 * bound, proof)
    assert outcome is Outcome.REFUSED
    assert min(loose) > min(sharper)
    assert enclosed(monkeypatch, net, target, 1.02 * bound, proof)[0] is Outcome.REFUSED


def test_what_a_zonal_proof_is_not_for():
    net, target, bound, proof = proven(5, 120)
    relu = slth.ReLUNetwork(net.hidden, net.output, "relu")
    assert verdict(relu, target, bound, proof).outcome is Outcome.REFUSED
    twice = slth.ReLUNetwork(np.repeat(target.hidden, 2, axis=0), [0.5, 0.5])
    assert verdict(net, twice, bound, proof).outcome is Outcome.REFUSED
    nothing = slth.ReLUNetwork(target.hidden, -target.output, "relu")
    assert verdict(net, nothing, bound, proof).outcome is Outcome.REFUSED
    hidden = np.zeros(net.hidden.shape, dtype=bool)
    hidden[0, 0] = True
    weights = slth.Mask(hidden, np.arange(120) == 0)
    other = claim(net, target, weights, 0.0, 1e6, bound=bound, refutation=proof)
    assert check(other)["bound"].outcome is Outcome.REFUSED
    flat = slth.random_network(2, 50, 0)
    assert verdict(flat, slth.neuron([1.0, 0.0]), 1e-9, proof).outcome is Outcome.REFUSED


def test_hostile_proofs_cost_little():
    net, target, bound, _ = proven(5, 120)
    entries = 400
    long = ZonalProof(
        np.array([-1], np.int32),
        np.array([0], np.int32),
        np.array([0, entries]),
        np.linspace(0.0, 0.9, entries),
        np.ones(entries),
    )
    assert verdict(net, target, bound, long).outcome is Outcome.NOT_COVERED
    # Two latitudes in neighbouring floats, of weights that cancel; weights of every size.
    parts = (np.array([-1], np.int32), np.array([0], np.int32), np.array([0, 2]))
    for places in ([0.3, math.nextafter(0.3, 1.0)], [5e-324, 1.0 - 2.0**-53], [0.0, 0.0]):
        for weights in ([1e300, -1e300], [5e-324, 1e-300], [1.7e308, 1.7e308], [0.0, 0.0]):
            other = ZonalProof(*parts, np.array(places), np.array(weights))
            assert verdict(net, target, bound, other).outcome is not Outcome.VERIFIED


def test_units_of_every_size_are_not_lost():
    net, target, bound, proof = proven(5, 120)
    # A unit along the target, however small its first layer, gives the target.
    for factor in (1e-300, 1e300):
        hidden = np.concatenate([net.hidden, target.hidden * factor])
        output = np.append(net.output, 0.5 / factor)
        wider = slth.ReLUNetwork(
            np.concatenate([hidden, hidden[-1:]]), np.append(output, output[-1])
        )
        assert verdict(wider, target, bound, proof).outcome is not Outcome.VERIFIED
    huge = slth.ReLUNetwork(net.hidden * 1e145, net.output * 1e145)
    assert verdict(huge, target, bound, proof).outcome is not Outcome.VERIFIED


def test_no_mutation_proves_more_than_the_best_mask_errs():
    d, width = 4, 8
    rng = np.random.default_rng(0)
    net, target, bound, proof = proven(d, width)
    points = rng.standard_normal((4000, d))
    points[2000:] -= np.outer(points[2000:] @ target.hidden[0], target.hidden[0]) / np.sum(
        target.hidden[0] ** 2
    )
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    masks = np.array([[bool(k >> i & 1) for i in range(width)] for k in range(2**width)])
    seen = np.abs(masks @ Problem(net, target).features(points).T - target(points)).max(axis=1)
    # 4,000 points of the sphere in four dimensions miss less than a tenth of the largest error.
    best = 1.1 * float(seen.min())
    assert verdict(net, target, bound, proof).outcome is Outcome.VERIFIED
    assert bound <= seen.min()
    for _ in range(20):
        parts = {
            field.name: getattr(proof, field.name).copy() for field in dataclasses.fields(proof)
        }
        kind, at = rng.integers(4), rng.integers(proof.weight.shape[0])
        if kind == 0:
            parts["weight"][at] *= rng.choice([-1.0, 0.0, 0.5, 3.0])
        elif kind == 1:
            parts["latitude"][at] = rng.random()
        elif kind == 2:
            parts["unit"][:-1] = rng.integers(0, width, proof.leaves - 1)
        else:
            parts["measure"][:] = rng.integers(0, proof.start.shape[0] - 1, proof.leaves)
        assert verdict(net, target, best, ZonalProof(**parts)).outcome is Outcome.REFUSED


def test_a_file_holds_one_proof_of_the_bound(tmp_path):
    net, target, bound, proof = proven(5, 120)
    path = tmp_path / "zonal.ticket"
    ticket(net, target, bound, proof).save(path)
    with np.load(path) as members:
        assert {name for name in members.files if name.startswith(("zonal", "refutation"))} == {
            f"zonal.{field.name}" for field in dataclasses.fields(proof)
        }


def test_a_search_with_proof_writes_one():
    net, target = slth.random_network(5, 1000, 1), slth.neuron(np.eye(5)[0])
    found = slth.prune_neurons(net, target, eps=0.01, time_limit=None, proof=True)
    assert found.status == "refuted"
    assert isinstance(found.refutation, ZonalProof)
    whole = Ticket.from_solution(found, net, target, eps=0.01)
    assert check(whole)["status"].outcome is Outcome.VERIFIED


@pytest.mark.parametrize(
    "parts",
    [
        {"unit": np.array([0], np.int32)},
        {"unit": np.array([-1, -1], np.int32), "measure": np.array([0, 0], np.int32)},
        {"measure": np.array([1], np.int32)},
        {"measure": np.array([-1], np.int32)},
        {"latitude": np.array([1.0])},
        {"latitude": np.array([-0.1])},
        {"latitude": np.array([np.nan])},
        {"weight": np.array([np.inf])},
        {"weight": np.ones(2)},
        {"start": np.array([0, 0])},
        {"start": np.array([0, 2])},
        {"start": np.array([0])},
        {"unit": np.zeros(0, np.int32), "measure": np.zeros(0, np.int32)},
    ],
)
def test_malformed_proofs_are_no_proofs(parts):
    good = {
        "unit": np.array([-1], np.int32),
        "measure": np.array([0], np.int32),
        "start": np.array([0, 1]),
        "latitude": np.array([0.5]),
        "weight": np.array([1.0]),
    }
    assert ZonalProof(**good).leaves == 1
    with pytest.raises(InvalidInput):
        ZonalProof(**(good | parts))
