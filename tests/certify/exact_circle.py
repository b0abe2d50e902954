"""An oracle for d = 2 in exact rationals: it refines the plane until |g - f| is linear."""

from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise

import slth


def _exact(net):
    rows = [[Fraction(w) for w in row] for row in net.hidden.tolist()]
    return list(zip([Fraction(a) for a in net.output.tolist()], rows, strict=True))


def _cross(u, v):
    return u[0] * v[1] - u[1] * v[0]


def _dot(u, v):
    return u[0] * v[0] + u[1] * v[1]


def _half(u):
    return 0 if u[1] > 0 or (u[1] == 0 and u[0] > 0) else 1


def _compare(u, v):
    if _half(u) != _half(v):
        return _half(u) - _half(v)
    turn = _cross(u, v)
    return -1 if turn > 0 else (1 if turn < 0 else 0)


def _gradient(units, x):
    active = [(a, w) for a, w in units if _dot(w, x) > 0]
    return [sum((a * w[k] for a, w in active), Fraction(0)) for k in range(2)]


def _sectors(rays):
    """Consecutive distinct rays, counter-clockwise, closed up."""
    rays = sorted(rays, key=cmp_to_key(_compare))
    distinct = [rays[0]]
    for ray in rays[1:]:
        if _compare(distinct[-1], ray) != 0:
            distinct.append(ray)
    return list(pairwise([*distinct, distinct[0]]))


def _inside(a, b):
    """A point strictly inside the sector from a to b, whose angle is at most pi."""
    return (-a[1], a[0]) if _cross(a, b) <= 0 else (a[0] + b[0], a[1] + b[1])


def squared_sup(net: slth.ReLUNetwork, target: slth.ReLUNetwork) -> Fraction:
    """The exact square of sup |net - target| over the unit disc."""
    g, f = _exact(net), _exact(target)
    rays = [(Fraction(s), Fraction(t)) for s, t in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    for _, w in g + f:
        if w != [0, 0]:
            rays += [(-w[1], w[0]), (w[1], -w[0])]
    for units, readout in ((g, net.readout), (f, target.readout)):
        if readout == "relu":
            extra = []
            for a, b in _sectors(rays):
                v = _gradient(units, _inside(a, b))
                for zero in ((-v[1], v[0]), (v[1], -v[0])):
                    if v != [0, 0] and _cross(a, zero) > 0 and _cross(zero, b) > 0:
                        extra.append(zero)
            rays += extra
    best = Fraction(0)
    for a, b in _sectors(rays):
        x = _inside(a, b)
        gradients = []
        for units, readout in ((g, net.readout), (f, target.readout)):
            v = _gradient(units, x)
            gradients.append([Fraction(0)] * 2 if readout == "relu" and _dot(v, x) < 0 else v)
        v = [gradients[0][k] - gradients[1][k] for k in range(2)]
        for direction in (v, [-v[0], -v[1]]):
            if _cross(a, direction) >= 0 and _cross(direction, b) >= 0:
                best = max(best, _dot(v, v))
        best = max(best, *(_dot(v, ray) ** 2 / _dot(ray, ray) for ray in (a, b)))
    return best
