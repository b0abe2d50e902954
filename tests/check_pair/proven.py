"""Pairs of networks with written proofs, and faults put into them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import numpy as np

import slth
from slth.certify.comparison import Comparison
from slth.certify.deep.points import climb
from slth.certify.prove.pair import prove_pair
from slth.errors import TicketError
from slth.limits import Deadline
from slth.pair_proof import PairClaim, PairProof
from tests.certify.deep.exact_line import exact_values
from tests.certify.deep.networks import KINDS, rounded

POINTS = 20


def pair_of(kind, seed, near):
    """Two networks of a kind of layers: one and its copy in half precision, or two of them."""
    generator = np.random.default_rng(seed)
    net = KINDS[kind](generator)
    return net, rounded(net, np.float16) if near else KINDS[kind](generator)


def permuted(net, generator):
    """A chain of dense layers with its units in another order, the last of each layer left out."""
    items, columns = [], slice(None)
    for place, item in enumerate(net.items):
        weight = item.weight[:, columns]
        last = place == len(net.items) - 1
        rows = slice(None) if last else generator.permutation(len(weight))[:-1]
        items.append(slth.Dense(weight[rows], item.bias[rows]))
        columns = rows
    return slth.DeepNetwork(items)


def attained(net, target, points):
    """The largest |net_i - target_i| at some points, exactly."""
    return max(
        abs(a - b)
        for x in points
        for a, b in zip(exact_values(net, x), exact_values(target, x), strict=True)
    )


def differs_at(net, target, x):
    """Whether an output is the strict maximum of net and not among those of target."""
    first, second = exact_values(net, x), exact_values(target, x)
    best = max(range(len(first)), key=first.__getitem__)
    strict = all(first[best] > v for k, v in enumerate(first) if k != best)
    return strict and second[best] < max(second)


@dataclass(frozen=True)
class Proven:
    """Two networks, a true proof about them on a box, and points of it: the first is one where they
    differ much."""

    net: slth.DeepNetwork
    target: slth.DeepNetwork
    box: slth.Box
    proof: PairProof
    points: np.ndarray


# Kinds of layers, seeds, whether one is a copy, and the claim: a share of the way from what is
# attained to the engine's first bound, or of labels (with delta).
_ERRORS = [
    (kind, seed, near, share)
    for seed, (near, share) in enumerate([(True, 0.5), (False, 0.6), (True, 0.8)])
    for kind in KINDS
]
_LABELS = [("residual", 2, True, None), ("leaky", 5, False, 0.75), ("image", 11, False, 0.75)]
COUNT = len(_ERRORS) + len(_LABELS)


@cache
def proven(number):
    """An instance by its number, below COUNT."""
    kind, seed, near, what = (_ERRORS + _LABELS)[number]
    generator = np.random.default_rng([3, seed])
    net, target = pair_of(kind, seed, near)
    center = 0.3 * generator.standard_normal(net.d)
    box = slth.Box(center - 0.4, center + 0.4)
    deep = Comparison.of(net, target).on(box)
    climbed = climb(deep.difference.program, deep.region, generator, Deadline())
    points = np.concatenate([generator.uniform(box.low, box.high, (POINTS, net.d)), climbed])
    worst = np.abs(net(points) - target(points)).max(axis=1)
    points = points[np.argsort(-worst)][:POINTS]
    if number < len(_ERRORS):
        least = 1.01 * float(worst.max())
        claim = PairClaim(least + what * max(0.0, deep.floor - least))
    else:
        claim = PairClaim(None, what)
    proof = prove_pair(net, target, box, claim, Deadline())
    assert proof is not None
    return Proven(net, target, box, proof, points)


@dataclass(frozen=True)
class Mutant:
    """A proof with a fault, and the networks it is shown with. Exactly one of:

    Attributes:
        broken: it is no proof of anything.
        false: what it claims is false, at an exact point.
        data: the file's bytes, where these were changed.
    """

    proof: PairProof | None
    net: slth.DeepNetwork
    target: slth.DeepNetwork
    broken: bool
    false: bool
    data: bytes | None = None
    points: np.ndarray | None = None


def is_false(claim, net, target, points):
    """Whether exact values at some points refute a claim."""
    if claim.eps is not None:
        return attained(net, target, points.tolist()) > Fraction(claim.eps)
    # Softmax above delta is decided by floats here, far from the boundary only.
    values = net.logits(points)
    shares = np.exp(values - values.max(axis=1, keepdims=True))
    top = (shares / shares.sum(axis=1, keepdims=True)).max(axis=1)
    some = points if claim.delta is None else points[top > claim.delta + 1e-9]
    return any(differs_at(net, target, x) for x in some.tolist())


def _too_small(base, generator):
    """An error that a point exceeds."""
    if base.proof.claim.eps is None:
        return _other_network(base, generator)
    least = attained(base.net, base.target, base.points[:1].tolist())
    share = 1.0 - 10.0 ** generator.uniform(-12.0, -0.5)
    eps = float(least) * share
    return dataclasses.replace(base.proof, claim=PairClaim(eps)), base.net, base.target, False


def _other_network(base, generator):
    """A weight of one network was changed, and its SHA-256 in the file."""
    networks = [base.net, base.target]
    which = int(generator.integers(2))
    network = networks[which]
    places = [k for k, item in enumerate(network.items) if isinstance(item, slth.Dense)]
    place = int(generator.choice(places))
    item = network.items[place]
    weight = item.weight.copy()
    weight.flat[generator.integers(weight.size)] += 10.0 ** generator.uniform(-2.0, 2.0)
    items = list(network.items)
    items[place] = slth.Dense(weight, item.bias)
    networks[which] = slth.DeepNetwork(items, network.last, network.input_shape)
    digest = networks[which].digest()
    proof = dataclasses.replace(base.proof, **{"target" if which else "net": digest})
    return proof, *networks, False


def _larger_domain(base, generator):
    """The box grows; the proof does not."""
    room = 10.0 ** generator.uniform(-1.0, 2.0)
    box = slth.Box(np.array(base.box.low) - room, np.array(base.box.high) + room)
    return dataclasses.replace(base.proof, domain=box), base.net, base.target, False


def _codes(base, generator):
    """Other lines and ways at some leaves, and a false claim."""
    proof, net, target, _ = _too_small(base, generator)
    changed = {}
    for name in ("slopes", "joins", "ways"):
        array = getattr(proof, name).copy()
        some = generator.random(array.shape) < generator.choice([0.02, 0.5])
        array[some] = generator.integers(0, 256, int(some.sum()))
        changed[name] = array
    return dataclasses.replace(proof, **changed), net, target, False


def _pruned_tree(base, generator):
    """A node with all below it became a leaf, and the claim is false."""
    proof, net, target, _ = _too_small(base, generator)
    split = proof.split.tolist()
    inner = [k for k, axis in enumerate(split) if axis != -1]
    if not inner:
        return proof, net, target, False
    start = int(generator.choice(inner))
    end, left = start, 1
    while left:
        left += 1 if split[end] != -1 else -1
        end += 1
    first = sum(axis == -1 for axis in split[:start])
    leaves = sum(axis == -1 for axis in split[start:end])
    keep = np.r_[0 : first + 1, first + leaves : len(proof.slopes)]
    split[start:end] = [-1]
    some = {name: getattr(proof, name)[keep] for name in ("slopes", "joins")}
    some["ways"] = proof.ways[keep] if len(proof.ways) else proof.ways
    return dataclasses.replace(proof, split=np.array(split, np.int32), **some), net, target, False


def _broken_tree(base, generator):
    """A node too few, one too many, or a cut of an axis that is not there."""
    split = base.proof.split.tolist()
    kind = int(generator.integers(3))
    some = [k for k, axis in enumerate(split) if axis != -1] or [0]
    place = int(generator.choice(some))
    if kind == 0 and split[place] != -1:
        del split[place]
    elif kind == 1 or split[place] == -1:
        split.insert(place, int(generator.integers(base.net.d)))
    else:
        split[place] = base.net.d + int(generator.integers(5))
    return (
        dataclasses.replace(base.proof, split=np.array(split, np.int32)),
        base.net,
        base.target,
        True,
    )


def _other_pairing(base, generator):
    """Orders of units in which one is missing, doubled, or that are not there."""
    proof = base.proof
    if not proof.paired or not len(proof.order_size):
        return dataclasses.replace(proof, net=proof.target[::-1]), base.net, base.target, True
    sizes = proof.order_size.copy()
    width = len(next(base.net.affine_maps()).bias)
    sizes[0] = width
    order = generator.integers(-1, width, width).astype(np.int32)
    order[0] = order[-1] = 0
    other = generator.permutation(width).astype(np.int32)
    rest = proof.order_size[0]
    net = np.concatenate([order, proof.order_net[rest:]])
    target = np.concatenate([other, proof.order_target[rest:]])
    return (
        dataclasses.replace(proof, order_size=sizes, order_net=net, order_target=target),
        base.net,
        base.target,
        True,
    )


_FAULTS = (
    _too_small,
    _other_network,
    _larger_domain,
    _codes,
    _pruned_tree,
    _broken_tree,
    _other_pairing,
)


def mutant(seed):
    """A mutant by its number."""
    generator = np.random.default_rng([5, seed])
    base = proven(int(generator.integers(COUNT)))
    if seed % 8 == 7:
        data = bytearray(base.proof.to_bytes())
        for _ in range(int(generator.integers(1, 4))):
            data[generator.integers(len(data))] ^= 1 << int(generator.integers(8))
        return Mutant(None, base.net, base.target, False, False, bytes(data), base.points)
    fault = _FAULTS[seed % 8]
    proof, net, target, broken = fault(base, generator)
    points = base.points
    if isinstance(proof.domain, slth.Box) and proof.domain != base.box:
        more = generator.uniform(proof.domain.low, proof.domain.high, (POINTS, net.d))
        points = np.concatenate([points, more])
    return Mutant(proof, net, target, broken, is_false(proof.claim, net, target, points))


def accepted_falsely(one):
    """Whether the checker verifies a mutant that it must not."""
    proof = one.proof
    if proof is None:
        try:
            proof = PairProof.from_bytes(one.data)
        except TicketError:
            return False
        inside = proof.domain == slth.Box(*(np.array(e) for e in (proof.domain.low,) * 2))
        if inside or not isinstance(proof.domain, slth.Box):
            return False
        low, high = np.array(proof.domain.low), np.array(proof.domain.high)
        if low.shape != (one.net.d,):
            return bool(slth.check(proof, one.net, one.target))
        points = one.points[((one.points >= low) & (one.points <= high)).all(axis=1)]
        false = len(points) > 0 and is_false(proof.claim, one.net, one.target, points)
        return false and bool(slth.check(proof, one.net, one.target))
    return (one.broken or one.false) and bool(slth.check(proof, one.net, one.target))
