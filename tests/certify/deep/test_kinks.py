"""Sums of kinks: what multipliers prove, in exact rationals, and the tree of signs on top."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import scipy

import slth
from slth.certify.deep import DeepComparison
from slth.certify.deep.kinks.folded import kink_sums
from slth.certify.deep.kinks.sums import KinkSums
from tests.certify.deep.cancelling import exact_dot, number
from tests.certify.deep.exact_line import exact_values
from tests.certify.deep.networks import dense


def zero(d, outputs=1):
    return slth.DeepNetwork([slth.Dense(np.zeros((outputs, d)))])


def one_hidden(generator, d, width, outputs=1, *, slope=0.0):
    bend = slth.LeakyRelu(slope) if slope else slth.Relu()
    return slth.DeepNetwork([dense(generator, width, d), bend, dense(generator, outputs, width)])


def sums_of(net, target, low, high):
    deep = DeepComparison(net, target, slth.Box(low, high))
    return kink_sums(deep.difference, deep.region)


def exact_sum(sums, which, x):
    """A sum at a point, in rationals."""
    total = number(sums.constant[which]) + exact_dot(sums.linear[which], x)
    for k, row in enumerate(sums.rows):
        z = exact_dot(row, x) + number(sums.offset[k])
        total += number(sums.cost[which, k]) * max(z, 0)
    return total


def exact_dual(sums, which, low, high, multipliers):
    """What the multipliers prove, in rationals."""
    t = [number(v) for v in multipliers]
    total = number(sums.constant[which]) + exact_dot(sums.offset, multipliers)
    for j in range(sums.rows.shape[1]):
        slope = number(sums.linear[which, j]) + exact_dot(sums.rows[:, j], multipliers)
        total += max(slope * number(sums.least[j]), slope * number(sums.most[j]))
    for k, cost in enumerate(sums.cost[which]):
        ends = {number(low[k]), number(high[k])}
        if low[k] < 0 < high[k]:
            ends.add(Fraction(0))
        total += max(number(cost) * max(z, Fraction(0)) - t[k] * z for z in ends)
    return total


@pytest.mark.parametrize("seed", range(40))
def test_multipliers_prove_no_less_than_in_rationals(seed):
    """Sums that cancel: the constant is all but what the rest comes to."""
    generator = np.random.default_rng(seed)
    m, n = 12, 9
    rows, offset = generator.standard_normal((m, n)), generator.standard_normal(m)
    reach = np.abs(rows).sum(axis=1)
    cost = generator.standard_normal((1, m))
    signs = generator.integers(-1, 2, m)
    low, high = offset - reach - 1.0, offset + reach + 1.0
    low, high = np.minimum(low, -0.5), np.maximum(high, 0.5)
    multipliers = 3.0 * generator.standard_normal(m)
    linear = -(multipliers @ rows)[None] + generator.integers(-1, 2, (1, n)) * 1e-16
    sums = KinkSums(
        rows, offset, low, high, linear, cost, np.zeros(1), np.zeros(1), -np.ones(n), np.ones(n)
    )
    low, high = np.where(signs > 0, 0.0, low), np.where(signs < 0, 0.0, high)
    exact = exact_dual(sums, 0, low, high, multipliers)
    shifted = KinkSums(*[
        np.array([-float(exact)]) if name == "constant" else getattr(sums, name)
        for name in KinkSums.__dataclass_fields__
    ])  # fmt: skip
    said = shifted.highest(0, low, high, multipliers)
    assert number(said) >= exact_dual(shifted, 0, low, high, multipliers)
    assert said < 1e-10


@pytest.mark.parametrize("seed", range(20))
def test_multipliers_that_cancel_each_other_are_paid_for(seed):
    """Only they are large: what they come to is far below a unit in the last place of each."""
    generator = np.random.default_rng(seed)
    m, n = 12, 9
    multipliers = 1e6 * generator.standard_normal(m)
    rows, offset = generator.standard_normal((m, n)), generator.standard_normal(m)
    rows[-1] = -(multipliers[:-1] @ rows[:-1]) / multipliers[-1]
    offset[-1] = -(multipliers[:-1] @ offset[:-1]) / multipliers[-1]
    # Signs that leave h_k = 0.
    low, high = np.where(multipliers > 0, 0.0, -20.0), np.where(multipliers < 0, 0.0, 20.0)
    none = np.zeros((1, n)), np.zeros((1, m)), np.zeros(1), np.zeros(1)
    sums = KinkSums(
        rows, offset, np.full(m, -20.0), np.full(m, 20.0), *none, -np.ones(n), np.ones(n)
    )
    said = sums.highest(0, low, high, multipliers)
    assert number(said) >= exact_dual(sums, 0, low, high, multipliers)


def test_slack_is_added():
    generator = np.random.default_rng(0)
    sums = sums_of(one_hidden(generator, 3, 5), zero(3), -1.0, 1.0)
    multipliers = generator.standard_normal(len(sums.offset))
    with_slack = replace(sums, slack=np.full(2, 0.5))
    ranges = sums.low, sums.high
    said = with_slack.highest(0, *ranges, multipliers)
    assert number(said) >= exact_dual(sums, 0, *ranges, multipliers) + Fraction(1, 2)


def test_multipliers_that_overflow_prove_nothing():
    generator = np.random.default_rng(0)
    sums = sums_of(one_hidden(generator, 3, 5), zero(3), -1.0, 1.0)
    with np.errstate(all="ignore"):
        said = sums.highest(0, sums.low, sums.high, np.full(len(sums.offset), 1e300))
        assert said >= 1e299
        assert sums.highest(0, sums.low, sums.high, np.full(len(sums.offset), np.inf)) == np.inf


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_folded_sums_are_the_difference_within_their_slack(seed, slope):
    """Hidden layers that cancel against the other network's affine map."""
    generator = np.random.default_rng(seed)
    d = 6
    net = one_hidden(generator, d, 20, 2, slope=slope)
    shift = slth.Dense(net.items[0].weight, net.items[0].bias + 50.0)
    net = slth.DeepNetwork([shift, *net.items[1:]])
    kinks = one_hidden(generator, d, 4, 2)
    through = net.items[-1].weight @ shift.weight
    constant = net.items[-1].weight @ shift.bias + net.items[-1].bias
    affine = slth.DeepNetwork([slth.Dense(through, constant)])
    both = slth.DeepNetwork([
        slth.Dense(np.vstack([shift.weight, kinks.items[0].weight]),
                   np.append(shift.bias, kinks.items[0].bias)),
        *([slth.LeakyRelu(slope)] if slope else [slth.Relu()]),
        slth.Dense(np.hstack([net.items[-1].weight, kinks.items[-1].weight]), net.items[-1].bias),
    ])  # fmt: skip
    sums = sums_of(both, affine, -1.0, 1.0)
    assert 1 <= len(sums.offset) <= 4
    for _ in range(5):
        x = generator.uniform(-1.0, 1.0, d)
        values = [
            a - b for a, b in zip(exact_values(both, x), exact_values(affine, x), strict=True)
        ]
        for which, wanted in enumerate([*values, *(-v for v in values)]):
            said = exact_sum(sums, which, x) + number(sums.slack[which])
            assert said >= wanted
            assert said <= wanted + Fraction(1, 10**9)


@pytest.mark.parametrize("seed", range(10))
def test_folding_units_that_cancel_is_paid_for(seed):
    """Units that are on everywhere and come to all but nothing together."""
    generator = np.random.default_rng(seed)
    d = 6
    weight, bias = generator.standard_normal((20, d)), 50.0 + generator.random(20)
    outer = np.append(generator.standard_normal(19), 8.0)
    weight[-1] = -(outer[:-1] @ weight[:-1]) / outer[-1]
    # One more, which bends.
    hidden = slth.Dense(np.vstack([weight, np.ones(d)]), np.append(bias, 0.0))
    net = slth.DeepNetwork([hidden, slth.Dense(np.append(outer, 1.0)[None], [-(outer @ bias)])])
    sums = sums_of(net, zero(d), -1.0, 1.0)
    assert len(sums.offset) == 1
    for _ in range(5):
        x = generator.uniform(-1.0, 1.0, d)
        (value,) = exact_values(net, x)
        for which, wanted in enumerate((value, -value)):
            assert exact_sum(sums, which, x) + number(sums.slack[which]) >= wanted


@pytest.mark.parametrize("layer", ["inner", "outer"])
@pytest.mark.parametrize("parts", [("weight",), ("bias",), ("weight", "bias")])
@pytest.mark.parametrize("bends", [True, False])
def test_weights_known_up_to_rounding_are_in_the_slack(layer, parts, bends):
    """The networks at the ends of what the weights may be."""
    generator = np.random.default_rng(0)
    net = one_hidden(generator, 4, 5, 1)
    inner, outer = net.items[0], net.items[-1]
    outer = slth.Dense(np.abs(outer.weight), outer.bias)
    # On everywhere, or bending.
    inner = slth.Dense(inner.weight, inner.bias + (0.0 if bends else 20.0))
    changed = inner if layer == "inner" else outer
    off = {part: 0.01 * generator.random(np.shape(getattr(changed, part))) for part in parts}

    def at(sign):
        moved = {"weight": changed.weight, "bias": changed.bias}
        for part in parts:
            moved[part] = moved[part] + sign * off[part]
        there = slth.Dense(moved["weight"], moved["bias"])
        return slth.DeepNetwork([there, outer] if layer == "inner" else [inner, there])

    rounding = {f"{part}_rounding": off[part] for part in parts}
    known = slth.Dense(changed.weight, changed.bias, **rounding)
    stated = slth.DeepNetwork([known, outer] if layer == "inner" else [inner, known])
    kinks = one_hidden(generator, 4, 3, 1)
    sums = sums_of(stated, kinks, -1.0, 1.0)
    for sign, x in product((1.0, -1.0), (np.ones(4), -np.ones(4), generator.uniform(-1, 1, 4))):
        (value,) = exact_values(at(sign), x)
        (other,) = exact_values(kinks, x)
        for which, wanted in enumerate((value - other, other - value)):
            assert exact_sum(sums, which, x) + number(sums.slack[which]) >= wanted


def by_patterns(net, target, low, high):
    """sup |net - target| by one linear program for each pattern of signs (one output)."""
    W = np.vstack([net.items[0].weight, target.items[0].weight])
    b = np.append(net.items[0].bias, target.items[0].bias)
    V = np.append(net.items[-1].weight[0], -target.items[-1].weight[0])
    shift = net.items[-1].bias[0] - target.items[-1].bias[0]
    best = 0.0
    for pattern in product((0.0, 1.0), repeat=len(b)):
        on = np.array(pattern)
        signs = 2.0 * on - 1.0
        for sign in (1.0, -1.0):
            found = scipy.optimize.linprog(
                -sign * (V * on) @ W, A_ub=-signs[:, None] * W, b_ub=signs * b,
                bounds=list(zip(low, high, strict=True)),
            )  # fmt: skip
            if found.status == 0:
                best = max(best, -found.fun + sign * ((V * on) @ b + shift))
    return best


@pytest.mark.parametrize("seed", range(4))
def test_the_tree_finds_the_supremum(seed):
    """Ten inputs are searched by other engines: the engine of any layers is asked itself."""
    generator = np.random.default_rng(seed)
    net, target = one_hidden(generator, 10, 4), one_hidden(generator, 10, 3)
    low = generator.uniform(-1.5, -0.5, 10)
    high = low + generator.uniform(0.5, 2.0, 10)
    wanted = by_patterns(net, target, low, high)
    deep = DeepComparison(net, target, slth.Box(low, high))
    found = deep.enclose(1e-6, slth.limits.Deadline(), eps=None, seed=0, report=lambda _: None)
    assert found.status == "closed"
    assert found.method == "signs"
    assert found.lower <= wanted * (1.0 + 1e-9)
    assert found.upper >= wanted * (1.0 - 1e-9)
    assert found.upper <= found.lower * (1.0 + 1e-6)


def wide(seed, d=60, width=40, outputs=3):
    generator = np.random.default_rng(seed)
    return one_hidden(generator, d, width, outputs)


def test_many_inputs_and_outputs_close():
    net = wide(0)
    x = np.random.default_rng(1).uniform(-1.0, 1.0, net.d)
    constant = slth.DeepNetwork([slth.Dense(np.zeros((3, net.d)), net(x[None])[0])])
    box = slth.Box.around(x, 0.1)
    found = slth.certify(net, constant, domain=box)
    assert (found.status, found.method) == ("closed", "signs")
    assert found.upper <= found.lower * (1.0 + 1e-6)
    values = np.abs(net(np.array([found.witness])) - net(x[None])).max()
    assert values == pytest.approx(found.lower, rel=1e-9)


@pytest.mark.parametrize("scale", [1e-140, 1e-20, 1e20, 1e140])
def test_other_scales_close_too(scale):
    net = wide(0, width=20)
    inner, outer = net.items[0], net.items[-1]
    inner = slth.Dense(inner.weight * scale, inner.bias * scale)
    net = slth.DeepNetwork([inner, slth.Dense(outer.weight)])
    found = slth.certify(net, zero(net.d, 3), domain=slth.Box(-0.1, 0.1))
    assert found.status == "closed"
    assert found.upper <= found.lower * (1.0 + 1e-6)


def test_decisions_need_no_more_than_they_ask():
    net = wide(0, width=20)
    box = slth.Box(-0.3, 0.3)
    exact = slth.certify(net, zero(net.d, 3), domain=box)
    assert exact.status == "closed"
    below, above = 0.999 * exact.lower, 1.001 * exact.upper
    assert slth.certify(net, zero(net.d, 3), domain=box, eps=below).lower > below
    held = slth.certify(net, zero(net.d, 3), domain=box, eps=above)
    assert held.upper <= above
    assert held.status == "closed"


@pytest.mark.usefixtures("counted_time")
def test_a_limit_leaves_bounds():
    net = wide(3, width=120)
    box = slth.Box(-1.0, 1.0)
    known = [
        slth.certify(net, zero(net.d, 3), domain=box, time_limit=limit) for limit in (2.0, 40.0)
    ]
    for found in known:
        assert found.lower <= found.upper
    assert known[1].lower <= known[0].upper
    assert known[0].lower <= known[1].upper


def test_the_same_question_has_the_same_answer():
    net = wide(5, width=20)
    box = slth.Box(-0.4, 0.4)
    first, second = (slth.certify(net, zero(net.d, 3), domain=box) for _ in range(2))
    assert (first.lower, first.upper) == (second.lower, second.upper)
