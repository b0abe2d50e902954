"""Biases, boxes, balls off the origin and orthants, against exact oracles and dense samples."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.certify import engines
from slth.certify.cones.engine import Cones
from slth.certify.enclose_domain import _charted
from slth.certify.homogenised import homogenised
from slth.certify.problem.chart import Chart
from slth.certify.signs.engine import Signs
from tests.certify.biased import biased_network, drawn, parts, values
from tests.certify.exact_circle import squared_sup

ENGINES = {"cones": Cones(), "signs": Signs()}


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    """Each of the two engines, wherever the other one is quicker, too."""
    chosen = ENGINES[request.param]
    monkeypatch.setattr(type(chosen), "applies", lambda self, problem: True)
    monkeypatch.setattr(engines, "ENGINES", (chosen,))


def exact_value(net, x):
    """g(x) in exact rationals at a tuple of Fractions."""
    net = parts(net)
    total = Fraction(net.output_bias)
    for w, a, b in zip(net.hidden.tolist(), net.output.tolist(), net.bias.tolist(), strict=True):
        inner = sum((Fraction(u) * t for u, t in zip(w, x, strict=True)), Fraction(b))
        total += Fraction(a) * max(inner, Fraction(0))
    return max(total, Fraction(0)) if net.readout == "relu" else total


def lines_of(net):
    """Where a linear-readout network bends: rows (w, b) of <w, x> + b = 0, as Fractions."""
    net = parts(net)
    return [
        [Fraction(t) for t in (*w, b)]
        for w, b in zip(net.hidden.tolist(), net.bias.tolist(), strict=True)
    ]


def exact_supremum_on_box(net, target, low, high):
    """d = 1, 2, linear readouts: |net - target| is largest at a vertex of the arrangement of the
    units' lines and the box's sides."""
    d = net.d
    rows = lines_of(net) + lines_of(target)
    for axis in range(d):
        for end in (low[axis], high[axis]):
            rows.append([Fraction(int(k == axis)) for k in range(d)] + [-Fraction(float(end))])
    best = Fraction(0)
    for chosen in itertools.combinations(rows, d):
        if d == 1:
            ((w, b),) = chosen
            if w == 0:
                continue
            x = (-b / w,)
        else:
            (p, q, r), (s, t, u) = chosen
            det = p * t - q * s
            if det == 0:
                continue
            x = ((q * u - r * t) / det, (r * s - p * u) / det)
        if all(
            Fraction(float(a)) <= v <= Fraction(float(b))
            for a, v, b in zip(low, x, high, strict=True)
        ):
            best = max(best, abs(exact_value(net, x) - exact_value(target, x)))
    return best


def largest_difference(net, target, points):
    return np.abs(values(net, points) - values(target, points)).max()


def test_the_oracle_on_a_hand_computed_case():
    # |max(x - 1, 0) - max(-x - 1, 0) - 0.5| on [-2, 3]: 1.5 at both ends.
    net = biased_network([[1.0], [-1.0]], [1.0, -1.0], bias=[-1.0, -1.0])
    target = biased_network(np.zeros((0, 1)), [], output_bias=0.5)
    assert exact_supremum_on_box(net, target, [-2.0], [3.0]) == Fraction(3, 2)
    enclosure = slth.certify(net, target, domain=slth.Box([-2.0], [3.0]))
    assert enclosure.lower <= 1.5 <= enclosure.upper
    assert enclosure.status == "closed"


@pytest.mark.parametrize(("d", "seed"), list(itertools.product((1, 2), range(10))))
@pytest.mark.usefixtures("engine")
def test_boxes_against_exact_vertices(d, seed):
    generator = np.random.default_rng([21, d, seed])
    net = drawn(generator, int(generator.integers(1, 7)), d, scale=10.0 ** (seed % 3 - 1))
    target = drawn(generator, int(generator.integers(0, 3)), d)
    low = generator.uniform(-3, 1, d)
    high = low + generator.uniform(0, 3, d) * (seed % 4 != 3)
    exact = exact_supremum_on_box(net, target, low, high)
    enclosure = slth.certify(net, target, domain=slth.Box(low, high))
    assert Fraction(enclosure.lower) <= exact <= Fraction(enclosure.upper)
    assert enclosure.status == "closed"
    x = enclosure.witness
    assert x is None or ((low <= x).all() and (x <= high).all())


def sampled(generator, domain, d, count):
    """Points of the domain, a third of them on its boundary."""
    if isinstance(domain, slth.Box):
        y = generator.uniform(-0.1, 1.1, (count, d)).clip(0.0, 1.0)
        return np.array(domain.low) + y * np.subtract(domain.high, domain.low)
    y = generator.standard_normal((count, d))
    y /= np.linalg.norm(y, axis=1)[:, None]
    y *= np.minimum(1.0, 1.5 * generator.random((count, 1)) ** (1 / d))
    if isinstance(domain, slth.Orthant):
        return domain.radius * np.maximum(y, 0.0)
    return np.array(domain.center) + domain.radius * y


@pytest.mark.parametrize("d", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("readout", ["linear", "relu"])
@pytest.mark.usefixtures("engine")
def test_above_dense_samples_and_closed(d, readout):
    generator = np.random.default_rng([22, d])
    width = 12 if d > 4 else 20
    net, target = drawn(generator, width, d, readout), drawn(generator, 3, d)
    center = generator.standard_normal(d)
    for domain in (
        slth.Box(center - 0.5, center + generator.uniform(0.1, 1.0, d)),
        slth.Ball(0.8, center),
        slth.Orthant(1.3),
    )[: 3 if d < 6 else 2]:
        enclosure = slth.certify(net, target, domain=domain, rtol=1e-3, time_limit=None)
        assert enclosure.status == "closed"
        points = sampled(generator, domain, d, 100_000)
        assert np.abs(values(net, points) - values(target, points)).max() <= enclosure.upper * (
            1 + 1e-13
        )
        x = enclosure.witness
        assert x is not None
        error = abs(
            exact_value(net, tuple(map(Fraction, x))) - exact_value(target, tuple(map(Fraction, x)))
        )
        assert Fraction(enclosure.lower) <= error <= Fraction(enclosure.upper)


@pytest.mark.parametrize("domain", [slth.Ball(0.8, [0.1] * 10), slth.Box([-1.0] * 10, [1.0] * 10)])
@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_ten_inputs_close(domain, readout):
    generator = np.random.default_rng(24)
    net, target = drawn(generator, 24, 10, readout, scale=0.3), drawn(generator, 3, 10)
    enclosure = slth.certify(net, target, domain=domain, time_limit=None)
    assert enclosure.status == "closed"
    points = sampled(generator, domain, 10, 100_000)
    assert np.abs(values(net, points) - values(target, points)).max() <= enclosure.upper * (
        1 + 1e-13
    )


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_without_biases_the_ways_agree(readout):
    """The ball around 0 by the central engine, and by slices with a bias that changes nothing."""
    net, target = slth.random_network(3, 10, 0, readout), slth.neuron([0.6, 0.0, 0.8])
    plain = slth.certify(net, target, radius=2.0)
    same = slth.certify(net, target, domain=slth.Ball(2.0, [0.0] * 3))
    assert (same.lower, same.upper) == (plain.lower, plain.upper)
    # A unit that is off on the whole ball.
    idle = biased_network(
        np.vstack([net.hidden, [[1.0, 0.0, 0.0]]]),
        np.append(net.output, 5.0),
        readout,
        bias=[0.0] * 10 + [-3.0],
    )
    slices = slth.certify(idle, target, radius=2.0)
    assert slices.lower <= plain.upper
    assert plain.lower <= slices.upper
    assert slices.status == "closed"
    # The ball is covered by eight orthants.
    largest = 0.0
    for signs in itertools.product((1.0, -1.0), repeat=3):
        turned = [slth.ReLUNetwork(g.hidden * signs, g.output, g.readout) for g in (net, target)]
        largest = max(largest, slth.certify(*turned, domain=slth.Orthant(2.0)).upper)
    assert plain.lower <= largest <= plain.upper * (1 + 3e-6)


def test_equal_networks_written_differently_differ_by_rounding():
    generator = np.random.default_rng(3)
    net = drawn(generator, 15, 4)
    order = generator.permutation(15)
    factors = generator.uniform(0.1, 10.0, (15, 1))
    old = parts(net)
    copy = biased_network(
        (old.hidden * factors)[order],
        (old.output / factors[:, 0])[order],
        bias=(old.bias * factors[:, 0])[order],
        output_bias=old.output_bias,
    )
    enclosure = slth.certify(net, copy, domain=slth.Box([-1.0] * 4, [1.0] * 4))
    assert enclosure.upper < 1e-9
    assert enclosure.status == "closed"


def test_early_decisions():
    generator = np.random.default_rng(4)
    net, target = drawn(generator, 20, 3), drawn(generator, 2, 3)
    domain = slth.Box([-1.0] * 3, [1.0] * 3)
    error = slth.certify(net, target, domain=domain)
    for eps in (0.5 * error.lower, 2.0 * error.upper):
        decided = slth.certify(net, target, domain=domain, eps=eps)
        assert decided.status == "closed"
        assert (decided.lower > eps) == (error.lower > eps)
        assert (decided.upper <= eps) == (error.upper <= eps)


@pytest.mark.usefixtures("counted_time")
def test_many_inputs_get_a_bound():
    generator = np.random.default_rng(5)
    net, target = drawn(generator, 12, 30), drawn(generator, 2, 30)
    for domain in (
        slth.Box([-1.0] * 30, [1.0] * 30),
        slth.Ball(1.0, [0.5] * 30),
        slth.Orthant(),
    ):
        enclosure = slth.certify(net, target, domain=domain, time_limit=300.0)
        points = sampled(generator, domain, 30, 10_000)
        assert largest_difference(net, target, points) <= enclosure.upper


def test_points_of_every_chart_lie_in_the_domain():
    generator = np.random.default_rng(6)
    for center, radius in ((0.0, 1.0), (1e8, 1e-7), (1.0, 1e-30), (1e-300, 3.0)):
        ball = slth.Ball(radius, [center, -center, center])
        for _ in range(20):
            x = Chart.of(ball, 3).image(generator.standard_normal(3))
            offsets = [
                Fraction(float(a)) - Fraction(float(c)) for a, c in zip(x, ball.center, strict=True)
            ]
            assert sum(t * t for t in offsets) <= Fraction(radius) ** 2


@pytest.mark.parametrize(
    "call",
    [
        lambda g, f: slth.certify(g, f, radius=2.0, domain=slth.Orthant()),
        lambda g, f: slth.certify(g, f, domain=slth.Box([0.0], [1.0])),
        lambda g, f: slth.certify(g, f, domain="box"),
        lambda g, f: slth.Box([0.0, 1.0], [1.0, 0.0]),
        lambda g, f: slth.Box([0.0, np.nan], [1.0, 1.0]),
        lambda g, f: slth.Ball(0.0, [0.0, 0.0]),
        lambda g, f: slth.Orthant(np.inf),
        lambda g, f: biased_network([[1.0]], [1.0], bias=[1.0, 2.0]),
        lambda g, f: biased_network([[1.0]], [1.0], bias=[np.nan]),
        lambda g, f: biased_network([[1.0]], [1.0], output_bias=np.inf),
        lambda g, f: slth.prune_neurons(g, f),
        lambda g, f: slth.prune_weights(g, f),
        lambda g, f: slth.ReLUNetwork.of(g),
    ],
)
def test_bad_input(call):
    net = biased_network([[1.0, 0.0]], [1.0], bias=[0.5])
    with pytest.raises(slth.InvalidInput):
        call(net, slth.neuron([1.0, 0.0]))


@pytest.mark.parametrize("readout", ["linear", "relu"])
def test_the_homogenised_network_is_the_network_at_one(readout):
    net = biased_network(
        [[1.0, 2.0], [0.0, 1.0]], [1.0, -1.0], readout, bias=[0.5, -1.0], output_bias=2.0
    )
    assert net([1.0, 1.0]) == 5.5
    points = np.random.default_rng(0).standard_normal((50, 2))
    lifted = np.column_stack([points, np.ones(50)])
    (only,) = homogenised(net)
    assert only.biased
    np.testing.assert_array_equal(only.network(lifted), values(net, points))
    (plain,) = homogenised(biased_network(parts(net).hidden, parts(net).output, readout))
    assert not plain.biased


def test_a_leaky_relu_of_dyadic_slope_is_two_relus():
    generator = np.random.default_rng(5)
    hidden, output = generator.standard_normal((7, 2)), generator.standard_normal(7)
    net = slth.DeepNetwork([slth.Dense(hidden), slth.LeakyRelu(0.25), slth.Dense(output[None])])
    twice = slth.ReLUNetwork(np.vstack([hidden, -hidden]), np.append(output, -0.25 * output))
    points = generator.standard_normal((50, 2))
    np.testing.assert_allclose(twice(points), net(points)[:, 0], rtol=1e-12, atol=1e-12)
    target = slth.neuron([0.6, 0.8])
    found, square = slth.certify(net, target), squared_sup(twice, target)
    assert Fraction(found.lower) ** 2 <= square <= Fraction(found.upper) ** 2
    assert found.upper <= found.lower * (1.0 + 1e-13)


def test_a_leaky_relu_whose_products_are_rounded_is_another_network():
    layers = [slth.Dense([[1.0, 0.0], [0.0, 1.0]]), slth.LeakyRelu(0.1), slth.Dense([[0.3, 7.0]])]
    assert homogenised(slth.DeepNetwork(layers)) is None
    # 0.1 is a float a little above a tenth: 16 times it is exact.
    layers[-1] = slth.Dense([[16.0, -0.5]])
    assert homogenised(slth.DeepNetwork(layers)) is not None


def test_several_outputs_are_the_largest_of_single_ones():
    generator = np.random.default_rng(8)
    weight, bias = generator.standard_normal((9, 3)), generator.standard_normal(9)
    nets = [
        slth.DeepNetwork([slth.Dense(weight, bias), slth.Dense(generator.standard_normal((4, 9)))])
        for _ in range(2)
    ]
    box = slth.Box([-1.0] * 3, [1.0] * 3)
    whole = slth.certify(*nets, domain=box)
    layers = [net.items for net in nets]
    single = [
        slth.certify(
            *(slth.DeepNetwork([inner, slth.Dense(outer.weight[[k]])]) for inner, outer in layers),
            domain=box,
        )
        for k in range(4)
    ]
    assert whole.lower == max(one.lower for one in single)
    assert whole.upper == max(one.upper for one in single)
    x = whole.witness
    assert np.abs(nets[0](x) - nets[1](x)).max() == pytest.approx(whole.lower, rel=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_what_a_chart_rounds_is_in_its_slack(seed):
    """The weights of a small ball far away: the bias cancels what the centre adds."""
    generator = np.random.default_rng(seed)
    weight = generator.standard_normal((1, 6))
    center = 1e8 * generator.standard_normal(6)
    bias = -float(weight[0] @ center)
    network = slth.ReLUNetwork(np.append(weight[0], bias)[None], [1.0])
    chart = Chart.of(slth.Ball(1.0, center.tolist()), 6)
    moved, slack, _ = _charted(network, chart)
    exact = Fraction(bias) + sum(
        Fraction(w) * Fraction(c) for w, c in zip(weight[0].tolist(), center.tolist(), strict=True)
    )
    off = abs(Fraction(float(moved.hidden[0, -1])) - exact)
    assert 0 < off <= Fraction(slack)
