"""The checker of written proofs about two networks, independent of what wrote them.

It shares no code with the certifier: it cuts the domain as the tree says, bounds every leaf with
the leaf's own lines in floats rounded outward, and compares. docs/check.md, "Two networks", derives
the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from slth.check_pair.leaves import Box, cut_to_ball, leaves, units_of
from slth.check_pair.rule import LabelRule, farthest, margin_below
from slth.check_pair.steps import Affine, Kink, PairStep, apart, together
from slth.deep import DeepNetwork
from slth.domain import Box as BoxDomain
from slth.domain import Domain, Orthant
from slth.errors import InvalidInput
from slth.exact import TooLarge
from slth.pair_proof import PairProof
from slth.verdict import Refused, Verdict, judged

# Cuts on the way to a leaf: more than any useful proof has, it keeps hostile trees shallow.
_MOST_CUTS = 2_000
# Multiplications, some minutes of them.
_MOST_WORK = 2.0**42
# Leaves are bounded together as long as their coefficients take some ten MB.
_AT_ONCE, _ENTRIES = 64, 1 << 21
# Sums of more numbers are not paid for by `leaves`.
_WIDEST = 1 << 20


def check_pair(proof: PairProof, net: DeepNetwork, target: DeepNetwork) -> Verdict:
    """Re-verify a proof about two networks; a last softmax or sigmoid of theirs is left out."""
    claim = proof.claim
    return Verdict(
        (
            judged("networks", "it is about these two networks", _networks, proof, net, target),
            judged(claim.name, claim.statement, _claimed, proof, net, target),
        ),
        main=claim.name,
    )


def _networks(proof: PairProof, net: DeepNetwork, target: DeepNetwork) -> str:
    for name, stated, network in (("net", proof.net, net), ("target", proof.target, target)):
        if network.before_last().digest() != stated:
            raise Refused(f"{name} is not the network whose SHA-256 the file states")
    return "by their SHA-256"


def _claimed(proof: PairProof, net: DeepNetwork, target: DeepNetwork) -> str:
    if (net.d, net.outputs) != (target.d, target.outputs):
        raise Refused("the networks have other inputs or outputs than each other")
    try:
        steps = together(net, target, proof.orders) if proof.paired else apart(net, target)
        whole = box_of(proof.domain, net.d)
    except InvalidInput as wrong:
        raise Refused(f"{wrong}") from wrong
    units, count = units_of(steps), net.outputs
    if proof.slopes.shape[1] != units:
        raise Refused(f"lines for {proof.slopes.shape[1]} units, the networks have {units}")
    if proof.claim.eps is None and (count < 2 or proof.ways.shape[1] != count**2):
        raise Refused("ways for another number of outputs")
    if proof.claim.eps is None and equal_functions(net, target):
        return "equal functions"
    _require_work(steps, len(proof.slopes))
    rule = LabelRule(margin_below(proof.claim.delta), proof.paired)
    found = _leaf_boxes(proof.split, whole)
    leaf = 0
    for box in _together(found, at_once(steps, net.d)):
        some = slice(leaf, leaf + len(box.low))
        with np.errstate(all="ignore"):
            box, empty = cut_to_ball(box)
            known = leaves(steps, proof.paired, box, proof.slopes[some], proof.joins[some])
            if proof.claim.eps is not None:
                holds = farthest(known) <= proof.claim.eps
            else:
                holds = rule.holds(known, proof.ways[some].reshape(-1, count, count))
        # A NaN does not hold.
        if not (holds | empty).all():
            first = int((holds | empty).argmin())
            raise Refused(f"leaf {leaf + first + 1} does not prove it")
        leaf += len(box.low)
    return f"proof with {leaf:,} leaves, in floats rounded outward"


def equal_functions(net: DeepNetwork, target: DeepNetwork) -> bool:
    """Whether they have the same layers, with weights that are exact."""
    exact = all(
        step.matrix_rounding is None and step.bias_rounding is None for step in net.affine_maps()
    )
    return exact and net.before_last() == target.before_last()


def box_of(domain: Domain, d: int) -> Box:
    """A domain as one box, cut with a ball."""
    center, radius = np.zeros(d), -1.0
    if isinstance(domain, BoxDomain):
        low, high = (_vector(end, d) for end in (domain.low, domain.high))
        return Box(low[None], high[None], center, radius)
    radius = domain.radius
    if isinstance(domain, Orthant):
        return Box(np.zeros((1, d)), np.full((1, d), radius), center, radius)
    if domain.center is not None:
        center = _vector(domain.center, d)
    low, high = np.nextafter(center - radius, -np.inf), np.nextafter(center + radius, np.inf)
    return Box(low[None], high[None], center, radius)


def _vector(value: float | Sequence[float], d: int) -> np.ndarray:
    """One number for every coordinate, or one each."""
    vector = np.full(d, value) if isinstance(value, float) else np.array(value)
    if vector.shape != (d,):
        raise Refused(f"a domain in R^{len(vector)}, networks with {d} inputs")
    return vector


def at_once(steps: tuple[PairStep, ...], d: int) -> int:
    """Leaves that are bounded together."""
    widest = max([d, *(max(part.weight.shape) for part in _maps(steps))])
    return int(np.clip(_ENTRIES // (2 * widest**2), 1, _AT_ONCE))


def _maps(steps: tuple[PairStep, ...]):
    for step in steps:
        if isinstance(step, Affine):
            yield from (part for part in (step.net, step.target) if part is not None)


def _require_work(steps: tuple[PairStep, ...], count: int) -> None:
    """Every unit of a kink is pulled back through all maps before, up and down, and for three kinds
    of values."""
    work = before = width = 0.0
    for step in steps:
        if isinstance(step, Affine):
            for part in (step.net, step.target):
                if part is not None:
                    width = float(len(part.bias))
                    before += float(part.weight.size)
                    if max(part.weight.shape) > _WIDEST:
                        raise TooLarge("too large for the checker: a layer of 2^20 numbers")
        elif isinstance(step, Kink):
            work += 6.0 * width * before
    if (work + before) * count > _MOST_WORK:
        raise TooLarge(f"too large for the checker: {work * count:.0e} multiplications")


def _leaf_boxes(split: np.ndarray, whole: Box) -> Iterator[Box]:
    """The leaves in order. Both halves of a box together are the box."""
    nodes = iter(split.tolist())
    stack = [(whole.low[0], whole.high[0], 0)]
    while stack:
        low, high, depth = stack.pop()
        axis = next(nodes, None)
        if axis is None:
            raise Refused("the tree lacks nodes")
        if axis == -1:
            yield Box(low[None], high[None], whole.center, whole.radius)
            continue
        if axis >= len(low) or depth == _MOST_CUTS:
            raise Refused("the tree has an invalid cut")
        lower, upper = halves(low, high, axis)
        stack += [(*upper, depth + 1), (*lower, depth + 1)]
    if next(nodes, None) is not None:
        raise Refused("the tree has nodes to spare")


def halves(low: np.ndarray, high: np.ndarray, axis: int):
    """Both halves of a box (low, high), cut in the middle of an axis."""
    middle = 0.5 * low[axis] + 0.5 * high[axis]
    below, above = high.copy(), low.copy()
    below[axis] = above[axis] = middle
    return (low, below), (above, high)


def _together(boxes: Iterator[Box], count: int) -> Iterator[Box]:
    """So many boxes as one."""
    waiting: list[Box] = []
    for box in boxes:
        waiting.append(box)
        if len(waiting) == count:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(boxes: list[Box]) -> Box:
    low, high = np.concatenate([b.low for b in boxes]), np.concatenate([b.high for b in boxes])
    return Box(low, high, boxes[0].center, boxes[0].radius)


__all__ = ["check_pair"]
