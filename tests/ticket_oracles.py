"""Oracles for tickets in exact rationals, written without a line of the checker's code."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np

import slth

Vector = tuple[Fraction, ...]


def rational(values: Sequence[float]) -> Vector:
    return tuple(Fraction(float(v)) for v in values)


def dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((s * t for s, t in zip(a, b, strict=True)), Fraction(0))


def value(net: slth.ReLUNetwork, x: Sequence[Fraction]) -> Fraction:
    """The network at a rational point, exactly."""
    total = Fraction(0)
    for w, a in zip(net.hidden, net.output, strict=True):
        total += Fraction(float(a)) * max(dot(rational(w), x), Fraction(0))
    return max(total, Fraction(0)) if net.readout == "relu" else total


def gradient(net: slth.ReLUNetwork, x: Sequence[Fraction]) -> Vector:
    """Gradient of the inner (linear-readout) network at a point on no hyperplane."""
    total = [Fraction(0)] * net.d
    for w, a in zip(net.hidden, net.output, strict=True):
        w = rational(w)
        if dot(w, x) > 0:
            total = [t + Fraction(float(a)) * c for t, c in zip(total, w, strict=True)]
    return tuple(total)


def squared_error(net: slth.ReLUNetwork, target: slth.ReLUNetwork) -> Fraction:
    """E^2 of the unit ball in d = 1 or d = 2 (any weights)."""
    if net.d == 1:
        ends = [(Fraction(s),) for s in (1, -1)]
        return max((value(net, x) - value(target, x)) ** 2 for x in ends)
    units = [rational(w) for w in (*net.hidden, *target.hidden)]
    rays = {_ray((s * w[1], -s * w[0])) for w in units for s in (1, -1) if any(w)}
    rays |= {_ray((Fraction(s), Fraction(t))) for s, t in ((1, 0), (0, 1), (-1, 0), (0, -1))}
    ordered = sorted(rays)
    candidates = [_point(ray) for ray in ordered]
    for a, b in zip(ordered, ordered[1:] + ordered[:1], strict=True):
        a, b = _point(a), _point(b)
        inside = tuple(s + t for s, t in zip(a, b, strict=True))
        p, q = gradient(net, inside), gradient(target, inside)
        difference = tuple(s - t for s, t in zip(p, q, strict=True))
        for v in (p, q):
            candidates += [(v[1], -v[0]), (-v[1], v[0])]
        for v in (p, q, difference):
            candidates += [v, tuple(-c for c in v)]
    # Every candidate is a point of the plane, so none can exceed the supremum.
    return max((value(net, x) - value(target, x)) ** 2 / dot(x, x) for x in candidates if any(x))


def _ray(x: Sequence[Fraction]) -> tuple[int, Fraction]:
    """(quadrant, position in it): sorts rays by angle."""
    s, t = x
    for quadrant in range(4):
        if s > 0 and t >= 0:
            return quadrant, t / (s + t)
        s, t = t, -s
    raise ValueError("no ray through 0")


def _point(ray: tuple[int, Fraction]) -> Vector:
    quadrant, t = ray
    x = (1 - t, t)
    for _ in range(quadrant):
        x = (-x[1], x[0])
    return x


def best_neuron_error(net: slth.ReLUNetwork, target: slth.ReLUNetwork) -> Fraction:
    """min over all 2^N sets of E^2, d <= 2."""
    best = None
    for keep in product((False, True), repeat=net.width):
        chosen = np.array(keep, dtype=bool)
        pruned = slth.ReLUNetwork(net.hidden[chosen], net.output[chosen], net.readout)
        # Its error at one point, exactly, may tell already that another set errs less.
        if best is None or _error_somewhere(pruned, target) < best:
            error = squared_error(pruned, target)
            best = error if best is None else min(best, error)
    assert best is not None
    return best


def _error_somewhere(net: slth.ReLUNetwork, target: slth.ReLUNetwork) -> Fraction:
    """The squared error at the worst of some directions, exactly."""
    angles = np.arange(64) * (2.0 * np.pi / 64)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, : net.d]
    units = np.concatenate([net.hidden, target.hidden])
    points = np.concatenate([points, units[:, ::-1] * [1.0, -1.0] if net.d == 2 else units])
    lengths = np.maximum(np.linalg.norm(points, axis=1), 1e-300)
    x = rational(points[np.argmax(np.abs(net(points) - target(points)) / lengths)])
    return (value(net, x) - value(target, x)) ** 2 / dot(x, x) if any(x) else Fraction(0)


def root_above(square: Fraction) -> float:
    """The least float64 whose square is at least `square`."""
    root = float(np.sqrt(float(square)))
    while Fraction(root) ** 2 < square:
        root = float(np.nextafter(root, np.inf))
    while root > 0.0 and Fraction(float(np.nextafter(root, 0.0))) ** 2 >= square:
        root = float(np.nextafter(root, 0.0))
    return root
