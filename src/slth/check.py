"""The independent checker: re-verifies every claim of a ticket in exact arithmetic; of proofs about
two networks see slth.check_pair.

Floats are dyadic rationals, so every quantity below is an integer times a power of two and every
comparison is exact; but sums over the units of wide networks are rounded outward (zonal_check).
Nothing of slth's searchers and certifiers is used. docs/check.md derives the rules.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from functools import cmp_to_key
from itertools import pairwise
from math import isqrt
from typing import Any, NamedTuple, NoReturn

import numpy as np

from slth.check_pair import check_pair
from slth.deep import DeepNetwork
from slth.errors import InvalidInput
from slth.exact import (
    Form,
    Limit,
    aligned,
    exactly,
    integers,
    integers_within_room,
    length,
    power,
    require_room,
    require_work,
    simplified,
    words,
)
from slth.network import ReLUNetwork
from slth.pair_proof import PairProof
from slth.proof import ONE, OPTIMAL_WITHIN, ErrorProof, RefutationProof, ZonalProof
from slth.ticket import Ticket
from slth.verdict import Claim, NotCovered, Outcome, Refused, Verdict, judged
from slth.zonal_check import zonal_flaw

# Units swept in the plane, each for some thousand operations.
_MOST_SWEPT = 200_000
# More splits than any useful cone has; it keeps the integers of hostile proofs short.
_MOST_SPLITS = 300

_MEANING = {
    "optimal": "no mask of that kind errs less, but for a fraction of 1e-5",
    "reached": "error <= eps",
    "refuted": "every mask of that kind has error > eps",
}


def check(
    ticket: Ticket | PairProof | str | os.PathLike[str],
    net: ReLUNetwork | DeepNetwork | None = None,
    target: ReLUNetwork | DeepNetwork | None = None,
) -> Verdict:
    """Re-verify a ticket, or the ticket file at a path, in exact arithmetic.

    With two networks: a written proof about them (`slth certify --proof`, `slth agree --proof`), in
    floats rounded outward.

    Raises:
        TicketError: the file is missing or damaged (see Ticket.load), or of the other kind.
        InvalidInput: one network alone, or something that is none.
    """
    if isinstance(ticket, PairProof) or net is not None or target is not None:
        return _check_pair(ticket, net, target)
    if not isinstance(ticket, Ticket):
        ticket = Ticket.load(ticket)
    kind, error = ticket.kind, ticket.error
    claims = [
        judged("mask", f"it is a {kind} mask", _mask, ticket),
        judged("upper", f"error <= {error.upper!r}", _upper, ticket),
        judged("lower", f"error >= {error.lower!r}", _lower, ticket),
        judged("bound", f"every {kind} mask has error >= {ticket.bound!r}", _bound, ticket),
    ]
    if ticket.status in _MEANING:
        found = {one.name: one for one in claims}
        claims.append(judged("status", _MEANING[ticket.status], _status, ticket, found))
    return Verdict(tuple(claims))


def _check_pair(proof: object, net: object, target: object) -> Verdict:
    if net is None or target is None:
        raise InvalidInput(
            "two networks to check a proof about",
            got="one" if net is not target else "none",
            expected="the networks it was written for, in that order",
            fix="Pass slth.check(path, net, target).",
        )
    if not isinstance(proof, PairProof):
        proof = PairProof.load(proof)  # type: ignore[arg-type]
    return check_pair(proof, DeepNetwork.of(net), DeepNetwork.of(target))  # type: ignore[arg-type]


def _masked_and_target(ticket: Ticket) -> tuple[Form, Form]:
    return aligned(simplified(exactly(ticket.masked)), simplified(exactly(ticket.target)))


def _mask(ticket: Ticket) -> str:
    if ticket.kind == "neuron" and not ticket.mask.is_neuron_mask:
        raise Refused("some unit is kept in part")
    return f"{ticket.mask.kept_units} units and {ticket.mask.kept_weights} weights kept"


def _lower(ticket: Ticket) -> str:
    claimed, witness = ticket.error.lower, ticket.error.witness
    if claimed == 0.0:
        return "an error is never negative"
    if witness is None:
        raise NotCovered("no witness is given")
    net, target = _masked_and_target(ticket)
    x, low = integers(witness)
    if (x @ x) * power(2 * low) > Fraction(ticket.radius) ** 2:
        raise Refused("the witness lies outside the ball")
    value = abs(net(x) - target(x)) * power(net.exponent + low)
    if value < Fraction(claimed):
        raise Refused(f"the error at the witness is only {float(value)!r}")
    return "evaluated at the witness"


def _upper(ticket: Ticket) -> str:
    net, target = _masked_and_target(ticket)
    limit = Limit(ticket.error.upper, ticket.radius, net.exponent)
    if ticket.error.witness is not None:
        _require_no_excess(net, target, limit, integers(ticket.error.witness)[0])
    if ticket.net.d == 1:
        for x in (1, -1):
            _require_no_excess(net, target, limit, np.array([x], dtype=object))
        return "evaluated at both ends"
    if ticket.net.d == 2:
        _sweep(net, target, limit)
        return "exact sweep over all sectors"
    if _separable(net, target, limit):
        return "sum over the coordinates"
    if ticket.error_proof is not None:
        return _cones(net, target, ticket, ticket.error_proof)
    raise NotCovered("solver-claimed: the file holds no proof of the upper bound")


def _require_no_excess(net: Form, target: Form, limit: Limit, x: np.ndarray) -> None:
    if not limit.holds((net(x) - target(x)) ** 2, x @ x):
        _refuse_at(x)


def _refuse_at(x: Any) -> NoReturn:
    largest = max(abs(c) for c in x)
    direction = [float(Fraction(c, largest)) for c in x]
    raise Refused(f"the error is larger in the direction {direction}")


def _sweep(net: Form, target: Form, limit: Limit) -> None:
    """d = 2: in the sectors between the units' rays both inner networks are linear."""
    long = max(words(net.rows), words(target.rows))
    require_work(len(net.rows) + len(target.rows), long, long, _MOST_SWEPT)
    axes = ((1, 0), (0, 1), (-1, 0), (0, -1))
    events = [(ray, 0, (0, 0)) for ray in axes]
    gradients = [[int(c) for c in network.linear] for network in (net, target)]
    for which, network in enumerate((net, target)):
        for (w, z), sign in zip(network.rows.tolist(), network.sign.tolist(), strict=True):
            if w == 0 == z:
                continue
            step = (sign * w, sign * z)
            events.append(((z, -w), which, step))
            events.append(((-z, w), which, (-step[0], -step[1])))
            # Active just after the direction (1, 0), counter-clockwise.
            if w > 0 or (w == 0 and z > 0):
                gradients[which][0] += step[0]
                gradients[which][1] += step[1]
    events.sort(key=cmp_to_key(_turn))
    before = axes[0]
    for ray, which, step in events:
        if _cross(before, ray) != 0:
            _sector(before, ray, gradients, net.relu, target.relu, limit)
        # The gradients hold what happens at the direction (1, 0) already.
        if ray[1] != 0 or ray[0] < 0:
            gradients[which][0] += step[0]
            gradients[which][1] += step[1]
        before = ray
    if _cross(before, axes[0]) != 0:
        _sector(before, axes[0], gradients, net.relu, target.relu, limit)


def _cross(a: Any, b: Any) -> int:
    return a[0] * b[1] - a[1] * b[0]


def _turn(first: Any, second: Any) -> int:
    """Order of two events by the angle of their rays in [0, 2 pi)."""
    a, b = first[0], second[0]
    halves = [x[1] < 0 or (x[1] == 0 and x[0] < 0) for x in (a, b)]
    if halves[0] != halves[1]:
        return 1 if halves[0] else -1
    cross = _cross(a, b)
    return -1 if cross > 0 else int(cross < 0)


def _sector(
    a: Any, b: Any, gradients: Any, net_relu: bool, target_relu: bool, limit: Limit
) -> None:
    """Bound the error in the directions between a and b, at most a right angle apart."""
    p, q = gradients
    cuts = []
    for gradient, relu in ((p, net_relu), (q, target_relu)):
        for x in ((-gradient[1], gradient[0]), (gradient[1], -gradient[0])):
            if relu and _cross(a, x) > 0 and _cross(x, b) > 0:
                cuts.append(x)
    if len(cuts) == 2 and _cross(cuts[0], cuts[1]) < 0:
        cuts.reverse()
    for left, right in pairwise([a, *cuts, b]):
        inside = (left[0] + right[0], left[1] + right[1])
        v = [0, 0]
        if not net_relu or p[0] * inside[0] + p[1] * inside[1] > 0:
            v = [v[0] + p[0], v[1] + p[1]]
        if not target_relu or q[0] * inside[0] + q[1] * inside[1] > 0:
            v = [v[0] - q[0], v[1] - q[1]]
        if limit.holds(v[0] * v[0] + v[1] * v[1]):
            continue
        # |<v, x>| / ||x|| attains ||v|| inside the sector, or is largest on one of its rays.
        opposite = (-v[0], -v[1])
        peaks = [x for x in (v, opposite) if _cross(left, x) >= 0 and _cross(x, right) >= 0]
        for x in (*peaks, left, right):
            value = v[0] * x[0] + v[1] * x[1]
            if not limit.holds(value * value, x[0] * x[0] + x[1] * x[1]):
                _refuse_at(x)


class _Obligation(NamedTuple):
    """Prove outer X - lambda Y <= upper ||x|| / R: any lambda in [0, 1] if `free`, else 1.

    X is the inner function of the network and Y that of the target if sign = 1, the other way
    round if sign = -1.
    """

    outer: int
    free: bool
    sign: int


def _obligations(net: Form, target: Form) -> Iterator[_Obligation]:
    """What |rho_g(G) - rho_f(F)| <= upper takes, for g - f and for f - g.

    max(t, 0) = max over a in {0, 1} of a t, so g - f = max_a min_b (a G - b F), where a and b are
    1 without a ReLU. The minimum is at most any mean over b; a = 0 with a free b holds by b = 0.
    """
    for sign, x, y in ((1, net, target), (-1, target, net)):
        yield _Obligation(1, y.relu, sign)
        if x.relu and not y.relu:
            yield _Obligation(0, False, sign)


def _separable(net: Form, target: Form, limit: Limit) -> bool:
    """Units with one incoming weight each: G and F are sums of functions of one coordinate."""
    slopes = []
    for network in (net, target):
        if (np.count_nonzero(network.rows, axis=1) > 1).any():
            return False
        units = network.sign[:, None] * network.rows
        up = network.linear + np.where(network.rows > 0, units, 0).sum(axis=0)
        down = -network.linear - np.where(network.rows < 0, units, 0).sum(axis=0)
        slopes.append(np.array([up, down]))
    for outer, free, sign in _obligations(net, target):
        x, y = slopes[::sign]
        peaks = [np.maximum(outer * x - b * y, 0).max(axis=0) for b in ((1, 0) if free else (1,))]
        if not any(limit.holds(peak @ peak) for peak in peaks):
            return False
    return True


def _cones(net: Form, target: Form, ticket: Ticket, proof: ErrorProof) -> str:
    """A subdivision into simplicial cones, on each of which multipliers prove the bound."""
    d, rows = len(net.linear), np.concatenate([net.rows, target.rows])
    units = len(rows)
    if proof.tau.shape[1] != units or proof.slope.shape[1] != d:
        raise Refused("the cone proof is not one for these networks")
    if len(proof.split) < 2**d:
        raise Refused("the cone proof lacks nodes")
    if max(proof.tau.max(initial=0), proof.mix.max(initial=0)) > ONE:
        raise Refused("the cone proof has a multiplier above 1")
    require_work(len(proof.split) * d * (2 * units + d + 10))
    slopes, low = integers_within_room(proof.slope)
    steep = Limit(ticket.error.upper, ticket.radius, low)
    # Both sides of a leaf's inequality, brought to one exponent.
    shift = low - net.exponent + 2 * (ONE.bit_length() - 1)
    left, right = 1 << max(-shift, 0), 1 << max(shift, 0)
    of_net = np.arange(units) < len(net.rows)
    signs = np.concatenate([net.sign, -target.sign])
    nodes = map(np.ndarray.tolist, proof.split)
    leaf, spent = -1, 0
    for outer, free, sign in _obligations(net, target):
        of_y = ~of_net if sign > 0 else of_net
        convex = sign * signs > 0
        x, y = (net, target)[::sign]
        # Everything linear in a generator v: v itself, <rows, v>, <X.linear, v>, <Y.linear, v>.
        functionals = np.vstack([np.eye(d, dtype=object), rows, x.linear, y.linear])
        for at in _leaf_cones(functionals, nodes):
            leaf += 1
            # Every split makes the numbers longer.
            long = words(at[0])
            spent += require_work(2 * at.size, long)
            require_work(spent)
            mix, tau, slope = int(proof.mix[leaf]), proof.tau[leaf].astype(object), slopes[leaf]
            if not (free or mix == ONE):
                raise Refused(f"leaf {leaf + 1} of the cone proof mixes what is not free")
            factor = np.where(of_y, mix, outer * ONE)
            dots = at[:, d : d + units]
            value = np.maximum(dots, 0) @ np.where(convex, ONE * factor, 0)
            value -= dots @ np.where(convex, 0, tau * factor)
            value += ONE * (outer * ONE * at[:, -2] - mix * at[:, -1])
            if (value * left > at[:, :d] @ slope * right).any():
                raise Refused(f"leaf {leaf + 1} of the cone proof does not bound its cone")
            if not steep.holds(slope @ slope):
                raise Refused(f"leaf {leaf + 1} of the cone proof has a slope above the bound")
    if next(nodes, None) is not None:
        raise Refused("the cone proof has nodes to spare")
    return f"cone proof with {leaf + 1} leaves"


def _leaf_cones(functionals: np.ndarray, nodes: Iterator[list[int]]) -> Iterator[np.ndarray]:
    """The leaves of the trees of all orthants: object [d, ...], a row of functionals a generator.

    The children of a cone cover it, since p v_i + q v_j lies on the edge from v_i to v_j.
    """
    d = functionals.shape[1]
    for corner in np.ndindex(*(2,) * d):
        signs = [1 - 2 * bit for bit in corner]
        stack = [([functionals[:, k] * signs[k] for k in range(d)], 0)]
        while stack:
            cone, depth = stack.pop()
            node = next(nodes, None)
            if node is None:
                raise Refused("the cone proof lacks nodes")
            i, j, p, q = node
            if p == 0:
                yield np.array(cone)
                continue
            if i == j or max(i, j) >= d or q == 0 or depth == _MOST_SPLITS:
                raise Refused("the cone proof has an invalid split")
            first, second = cone.copy(), cone.copy()
            first[i] = second[j] = p * cone[i] + q * cone[j]
            stack += [(second, depth + 1), (first, depth + 1)]


def _bound(ticket: Ticket) -> str:
    """No mask is near the target at all points, or on spheres of latitude."""
    if ticket.bound == 0.0:
        return "nothing is claimed"
    proof = ticket.refutation
    if proof is None:
        raise NotCovered("solver-claimed: the file holds no proof of the bound")
    if isinstance(proof, ZonalProof):
        if (flaw := zonal_flaw(ticket, proof)) is not None:
            raise Refused(flaw)
        return f"zonal proof with {proof.leaves} steps"
    net, target = aligned(exactly(ticket.net), exactly(ticket.target))
    if proof.points.shape[1] != ticket.net.d:
        raise Refused("the refutation's points are not in the input space")
    points, _ = integers_within_room(proof.points)
    long = words(points)
    for network in (net, target):
        require_work(points.size * len(network.rows), long, words(network.rows))
    values = np.array([target(x) for x in points], dtype=object)
    # Norms in units of 2^-64, rounded up.
    norms = np.array([isqrt((x @ x) << 128) + 1 for x in points], dtype=object)
    least = Fraction(ticket.bound) / Fraction(ticket.radius) * power(-64 - net.exponent)
    over, under = least.numerator, least.denominator
    if net.relu:
        below = np.unique(proof.point[proof.weight < 0])
        if not (values[below] * under >= over * norms[below]).all():
            raise Refused("a ReLU readout is held up only where the target exceeds the bound")
    gains = (_neuron_gains if ticket.kind == "neuron" else _weight_gains)(net, points, proof)
    for leaf, (at, weight, gain) in enumerate(gains):
        mass = np.abs(weight) @ norms[at]
        if mass == 0 or (gain - weight @ values[at]) * under < over * mass:
            raise Refused(f"leaf {leaf + 1} of the refutation does not reach the bound")
    return f"refutation with {proof.leaves} leaves"


# At each leaf: its points, integer multipliers m_p, and the least sum_p m_p G_S(x_p) of its masks.
_Gains = Iterator[tuple[np.ndarray, np.ndarray, Any]]


def _neuron_gains(net: Form, points: np.ndarray, proof: RefutationProof) -> _Gains:
    """Units that a leaf does not fix are kept where that makes the sum smaller."""
    width = len(net.rows)
    require_work(len(proof.unit) * width)
    long = words(points) + words(net.rows)
    require_room(len(points) * width, long)
    require_work(len(proof.weight) * width, long, length(proof.weight))
    table = np.maximum(points @ net.rows.T, 0) * net.sign
    at, weight = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=object)
    gains, leaf = np.zeros(width, dtype=object), 0
    stack = [np.zeros(width, dtype=np.int8)]
    for code in map(int, proof.unit):
        if not stack:
            raise Refused("the refutation has nodes to spare")
        fixed = stack.pop()
        if code == -1:
            if proof.start[leaf] < proof.start[leaf + 1]:
                span = slice(proof.start[leaf], proof.start[leaf + 1])
                at, weight = proof.point[span], integers(proof.weight[span])[0]
                gains = weight @ table[at]
            yield at, weight, gains[fixed > 0].sum() + np.minimum(gains[fixed == 0], 0).sum()
            leaf += 1
            continue
        unit = code if code >= 0 else -2 - code
        if unit >= width or fixed[unit] != 0:
            raise Refused("the refutation branches on a unit that is fixed or missing")
        kept, dropped = fixed.copy(), fixed.copy()
        kept[unit], dropped[unit] = 1, -1
        stack += [dropped, kept] if code >= 0 else [kept, dropped]
    if stack:
        raise Refused("the refutation lacks nodes")


def _weight_gains(net: Form, points: np.ndarray, proof: RefutationProof) -> _Gains:
    """Unit by unit, the smallest of its 2^d masks; without branches."""
    if len(proof.unit) != 1 or proof.leaves != 1:
        raise NotCovered("solver-claimed: weight masks are refuted without branches only")
    masks, long = len(proof.weight) << len(net.linear), words(points) + words(net.rows)
    require_room(masks, long)
    require_work(len(net.rows) * masks, long, length(proof.weight))
    chosen, weights = points[proof.point], integers_within_room(proof.weight)[0]
    least = 0
    for row, sign in zip(net.rows, net.sign, strict=True):
        sums = np.zeros((1, len(chosen)), dtype=object)
        for weight, column in zip(row, chosen.T, strict=True):
            sums = np.concatenate([sums, sums + weight * column])
        least += (sign * (np.maximum(sums, 0) @ weights)).min()
    yield proof.point, weights, least


def _status(ticket: Ticket, found: dict[str, Claim]) -> str:
    """What the status adds to the claims it rests on."""
    upper, bound = Fraction(ticket.error.upper), Fraction(ticket.bound)
    rests_on = {"optimal": ("upper", "bound"), "reached": ("upper",), "refuted": ("bound",)}
    gap = upper - bound
    if ticket.status == "optimal" and gap > Fraction(OPTIMAL_WITHIN) * upper:
        raise NotCovered(f"the bound leaves a gap of {float(gap)!r}")
    if ticket.status != "optimal":
        if ticket.eps is None:
            raise NotCovered("the file does not say which eps was asked for")
        eps = Fraction(ticket.eps)
        if not (upper <= eps if ticket.status == "reached" else bound > eps):
            raise Refused("the claimed error and bound do not say so")
    for name in rests_on[ticket.status]:
        if found[name].outcome is Outcome.REFUSED:
            raise Refused(f"it rests on a refused claim: {found[name].statement}")
        if found[name].outcome is Outcome.NOT_COVERED:
            raise NotCovered(f"it rests on a claim not covered: {found[name].statement}")
    return "follows from the claims above"
