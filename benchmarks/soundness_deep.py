"""Pairs of networks of any layers against exact rationals: no false bound, "reached" or "agree".

`python -m benchmarks soundness_deep [INSTANCES]` (10,000). On a box of which all sides but one are
points the supremum is known exactly (tests/certify/deep/exact_line). Kinds:

    random      near copies, and other networks of the same or of other layers
    almost      kinks within a few units in the last place of an end of the box
    scales      each array of weights times a power of 10 between 1e-20 and 1e20
    point       a box without extent
    wide        50 inputs and one hidden layer, which the tree of signs answers, at all scales
    planted     the target is the net plus a tent of height 2 eps over a millionth of the box, its
                other sides free: a point with an error of more than eps is known
    label       the same, where the tent lifts another label over that of the net
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

import slth
from benchmarks.table import show
from slth.network import FloatArray
from tests.certify.deep.exact_line import exact_supremum, exact_values

# Few boxes are looked at: a false bound is as likely on them.
_SECONDS = 0.05
_TENT = 1e-6


@dataclass(frozen=True)
class Instance:
    """Two networks on a box. known: the exact supremum, or a value that is attained; exact: which.
    differ: whether labels differ at some point for certain."""

    net: slth.DeepNetwork
    target: slth.DeepNetwork
    low: FloatArray
    high: FloatArray
    known: Fraction
    exact: bool
    differ: bool = False


Generator = np.random.Generator


def _dense(generator: Generator, outs: int, ins: int) -> slth.Dense:
    weight = generator.standard_normal((outs, ins)) / np.sqrt(ins)
    return slth.Dense(weight, 0.3 * generator.standard_normal(outs))


def _network(generator: Generator, d: int) -> slth.DeepNetwork:
    widths = [d, *generator.integers(2, 8, generator.integers(1, 4)).tolist(), 2]
    return slth.DeepNetwork([_dense(generator, b, a) for a, b in pairwise(widths)])


def _changed(net: slth.DeepNetwork, change: Callable[[FloatArray], FloatArray]) -> slth.DeepNetwork:
    items = []
    for item in net.items:
        if isinstance(item, slth.Dense):
            bias = np.zeros(len(item.weight)) if item.bias is None else item.bias
            item = slth.Dense(change(item.weight), change(bias))
        items.append(item)
    return slth.DeepNetwork(items)


def _near(generator: Generator, net: slth.DeepNetwork) -> slth.DeepNetwork:
    kind = int(generator.integers(3))
    if kind == 0:
        return _changed(net, lambda a: a.astype(np.float32).astype(np.float64))
    if kind == 1:
        return _changed(net, lambda a: np.where(generator.random(a.shape) < 0.1, 0.0, a))
    return _changed(net, lambda a: a * (1.0 + 1e-9 * generator.standard_normal(a.shape)))


def _line(generator: Generator, d: int) -> tuple[FloatArray, FloatArray]:
    low = generator.uniform(-1.0, 1.0, d)
    high = low.copy()
    high[generator.integers(d)] += 10.0 ** generator.uniform(-3.0, 0.5)
    return low, high


def _on_line(
    net: slth.DeepNetwork, target: slth.DeepNetwork, low: FloatArray, high: FloatArray
) -> Instance:
    return Instance(net, target, low, high, exact_supremum(net, target, low, high), True)


def random(generator: Generator) -> Instance:
    d = int(generator.integers(1, 5))
    net = _network(generator, d)
    target = _near(generator, net) if generator.random() < 0.6 else _network(generator, d)
    return _on_line(net, target, *_line(generator, d))


def almost(generator: Generator) -> Instance:
    d = int(generator.integers(1, 4))
    net, (low, high) = _network(generator, d), _line(generator, d)
    first, *rest = net.items
    assert isinstance(first, slth.Dense)
    bias = -(first.weight @ np.where(generator.random(d) < 0.5, low, high))
    bias *= 1.0 + generator.integers(-3, 4, len(bias)) * 2.0**-52
    net = slth.DeepNetwork([slth.Dense(first.weight, bias), *rest])
    return _on_line(net, _near(generator, net), low, high)


def scales(generator: Generator) -> Instance:
    d = int(generator.integers(1, 4))
    net = _changed(_network(generator, d), lambda a: a * 10.0 ** float(generator.integers(-20, 21)))
    return _on_line(net, _near(generator, net), *_line(generator, d))


def point(generator: Generator) -> Instance:
    d = int(generator.integers(1, 6))
    net = _network(generator, d)
    x = generator.uniform(-1.0, 1.0, d)
    target = _near(generator, net)
    values = zip(exact_values(net, x.tolist()), exact_values(target, x.tolist()), strict=True)
    return Instance(net, target, x, x, max(abs(a - b) for a, b in values), True)


def wide(generator: Generator) -> Instance:
    d = 50
    net, target = (
        slth.DeepNetwork([_dense(generator, width, d), _dense(generator, 2, width)])
        for width in generator.integers(2, 9, 2).tolist()
    )
    if generator.random() < 0.3:
        target = _near(generator, net)
    if generator.random() < 0.3:
        size = 10.0 ** float(generator.integers(-20, 21))
        net, target = (_changed(part, lambda a: a * size) for part in (net, target))
    low, high = _line(generator, d)
    # Long enough for several units to bend.
    return _on_line(net, target, low, low + 10.0 * (high - low))


def planted(generator: Generator, *, label: bool = False) -> Instance:
    d = int(generator.integers(2, 5))
    weight, bias = generator.standard_normal((5, d)), generator.standard_normal(5)
    outer = generator.standard_normal((2, 5))
    low = generator.uniform(-1.0, 0.0, d)
    high = low + 1.0
    place = float(low[0] + generator.uniform(0.1, 0.9))
    # max(t, 0) - 2 max(t - w, 0) + max(t - 2 w, 0), t = x_0 - place: a tent of height w.
    ramp = np.zeros((3, d))
    ramp[:, 0] = 1.0
    shifts = -place - _TENT * np.arange(3.0)
    size = float(10.0 ** generator.uniform(-3.0, 1.0))
    if label:
        # More than the two outputs are apart anywhere on the box.
        reach = np.abs(weight) @ np.maximum(np.abs(low), np.abs(high)) + np.abs(bias)
        size = 4.0 * float((np.abs(outer) @ reach).max())
    tent = (size / _TENT) * np.array([1.0, -2.0, 1.0])
    hidden = np.concatenate([weight, ramp]), np.concatenate([bias, shifts])
    x = 0.5 * low + 0.5 * high
    x[0] = place + _TENT
    net = slth.DeepNetwork([slth.Dense(weight, bias), slth.Dense(outer)])
    first = int(np.argmax(net(x[None])[0]))
    lift = np.zeros((2, 3))
    lift[1 - first] = tent
    target = slth.DeepNetwork([slth.Dense(*hidden), slth.Dense(np.concatenate([outer, lift], 1))])
    one, other = exact_values(net, x.tolist()), exact_values(target, x.tolist())
    known = max(abs(a - b) for a, b in zip(one, other, strict=True))
    differ = one[first] > one[1 - first] and other[first] < other[1 - first]
    return Instance(net, target, low, high, known, False, differ)


def label(generator: Generator) -> Instance:
    return planted(generator, label=True)


KINDS: dict[str, Callable[[Generator], Instance]] = {
    kind.__name__: kind for kind in (random, almost, scales, point, wide, planted, label)
}


def wrong(instance: Instance, seconds: float = _SECONDS) -> list[str]:
    """The answers on one instance that are false; [] if all hold."""
    net, target, known = instance.net, instance.target, instance.known
    box = slth.Box(instance.low, instance.high)
    found = slth.certify(net, target, domain=box, rtol=1e-3, time_limit=seconds)
    faults = []
    if found.upper < np.inf and Fraction(found.upper) < known:
        faults.append("upper below an attained value")
    if instance.exact and Fraction(found.lower) > known:
        faults.append("lower above the supremum")
    for share in (0.5, 1.0 - 1e-9, 1.0, 1.0 + 1e-9):
        eps = share * float(known)
        if not 0.0 < eps < np.inf:
            continue
        found = slth.certify(net, target, domain=box, eps=eps, time_limit=seconds)
        if found.upper <= eps and known > Fraction(eps):
            faults.append("false reached")
        if instance.exact and found.lower > eps and known <= Fraction(eps):
            faults.append("false disproof")
    if instance.differ and slth.agree(net, target, box, time_limit=seconds).status == "agree":
        faults.append("false agree")
    return faults


def main(instances: str = "10000") -> int:
    """Every kind in turn; the number of false answers."""
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    differing = 0
    for seed in range(int(instances)):
        kind = list(KINDS)[seed % len(KINDS)]
        instance = KINDS[kind](np.random.default_rng([17, seed]))
        counts[kind] += 1
        differing += instance.differ
        for fault in wrong(instance):
            faults[kind] += 1
            print(f"instance {seed} ({kind}): {fault}", file=sys.stderr, flush=True)
        if seed % 500 == 499:
            print(f"{seed + 1} instances, {faults.total()} false", file=sys.stderr, flush=True)
    show(
        f"Pairs against exact values ({differing} with labels that differ)",
        ("kind", "instances", "false answers"),
        [(kind, str(counts[kind]), str(faults[kind])) for kind in KINDS],
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
