"""Embeddings: certified against exact rationals, determinism, statuses, bad input."""

from fractions import Fraction

import numpy as np
import pytest

import slth
from slth.deep import DeepNetwork, mlp
from slth.embed.reach import signed
from slth.layers import Conv, Dense, Residual

rng = np.random.default_rng(0)


def weights(*shape):
    return rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))


MLP = mlp([(weights(6, 4), weights(6)), (weights(5, 6), weights(5)), (weights(2, 5), weights(2))])
PLAIN = mlp([(weights(7, 3), None), (weights(2, 7), None)])
IMAGE = DeepNetwork(
    (
        Conv(weights(2, 1, 3, 3), weights(2), 1, 1),
        Residual((Conv(weights(3, 2, 3, 3), weights(3), 1, 1), Conv(weights(2, 3, 1, 1)))),
        Conv(weights(3, 2, 2, 2), None, 2, 0),
        Dense(weights(4, 12), weights(4)),
    ),
    input_shape=(1, 5, 4),
)
CHAIN = DeepNetwork(IMAGE.items[:1] + IMAGE.items[2:], input_shape=IMAGE.shape)

CASES = {
    "mlp, ball": (MLP, slth.Ball(2.0), "double"),
    "mlp, pixels": (MLP, slth.Box(0.0, 1.0), "double"),
    "mlp, signed box": (MLP, slth.Box(-1.0, 0.5), "double"),
    "no biases": (PLAIN, slth.Ball(1.0), "double"),
    "one layer": (mlp([(weights(2, 3), weights(2))]), slth.Ball(1.0), "double"),
    "image": (IMAGE, slth.Box(0.0, 1.0), "double"),
    "signed image": (IMAGE, slth.Ball(1.0), "double"),
    "mlp, one layer more": (MLP, slth.Ball(1.0), "plus-one"),
    "image, one layer more": (CHAIN, slth.Box(0.0, 1.0), "plus-one"),
}


def exact(network, x):
    """The network at one exact point, in rationals. x: object [inputs]."""

    def affine(layer, before, h):
        part = DeepNetwork((layer,), input_shape=before)
        (step,) = part.steps
        matrix, bias = step.matrix, step.bias
        dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
        rows = [[(i, Fraction(float(w))) for i, w in enumerate(row) if w] for row in dense]
        return [
            sum((w * h[i] for i, w in row), Fraction(float(b)))
            for row, b in zip(rows, bias, strict=True)
        ]

    layers = iter(network.affine())
    for place, item in enumerate(network.items):
        if isinstance(item, Residual):
            inner = x
            for depth in range(len(item.body)):
                layer, before = next(layers)
                inner = affine(layer, before, [max(v, 0) for v in inner] if depth else inner)
            x = [a + b for a, b in zip(x, inner, strict=True)]
        else:
            x = affine(*next(layers), x)
        if place + 1 < len(network.items):
            x = [max(v, Fraction(0)) for v in x]
    return x


def points(network, domain, count):
    draws = np.random.default_rng(1)
    if isinstance(domain, slth.Ball):
        x = draws.standard_normal((count, int(np.prod(network.shape))))
        x *= domain.radius * (1 - 1e-12) / np.linalg.norm(x, axis=1, keepdims=True)
        return x.reshape(count, *network.shape)
    return draws.uniform(domain.low, domain.high, (count, *network.shape))


@pytest.mark.parametrize(("target", "domain", "construction"), CASES.values(), ids=CASES)
def test_certified_error_holds(target, domain, construction):
    found = slth.embed(target, 0.05, domain=domain, seed=3, construction=construction, workers=1)
    assert found.status == "reached"
    assert 0.0 < found.error <= 0.05
    x = points(target, domain, 300)
    observed = np.abs(found.pruned(x) - target(x)).max()
    assert 0.0 < observed <= found.error
    np.testing.assert_allclose(found(x), found.pruned(x), atol=1e-12)
    assert found.certify(target) == found.error
    assert repr(found).startswith("Embedding(reached: error <= 0.0")


@pytest.mark.parametrize("name", ["mlp, ball", "image"])
def test_effective_weights_are_exact_sums_of_the_kept_ones(name):
    """At one point, in rationals: the pruned random network equals the effective one."""
    target, domain, construction = CASES[name]
    found = slth.embed(target, 0.05, domain=domain, construction=construction, workers=1)
    x = [Fraction(float(v)) for v in points(target, domain, 1)[0].ravel()]
    pruned = exact(found.pruned, x)
    sides = [max(v, Fraction(0)) for v in x]
    if signed(domain):
        sides += [max(-v, Fraction(0)) for v in x]
    assert pruned == exact(found.effective, sides)
    errors = [abs(a - b) for a, b in zip(pruned, exact(target, x), strict=True)]
    assert max(errors) <= Fraction(found.error)


@pytest.mark.parametrize("construction", ["double", "plus-one"])
def test_the_pruned_network_has_the_depth_and_the_weights_it_says(construction):
    found = slth.embed(MLP, 0.1, construction=construction, workers=1)
    depth = 6 if construction == "double" else 4
    assert len(found.pruned.items) == depth == len(found.widths)
    kept = sum(np.count_nonzero(layer.weight) for layer, _ in found.pruned.affine())
    kept += sum(np.count_nonzero(layer.bias) for layer, _ in found.pruned.affine())
    assert kept == found.kept_weights < found.random_weights
    for layer, _ in found.pruned.affine():
        # Random weights are 24-bit numbers: float32 holds them all.
        np.testing.assert_array_equal(layer.weight, layer.weight.astype(np.float32))


def test_kept_weights_are_those_of_the_generator():
    """Split weights and second-layer weights of the double construction, entry by entry."""
    from tests.embed.test_random import python_entry

    found = slth.embed(PLAIN, 0.1, seed=9, workers=1)
    layer = found.layers[0]
    pruned = found.pruned.items
    width, pool = layer.pools.width, layer.pools.units.shape[1]
    for channel, slot in [(0, 0), (2, 5), (3, 1), (5, pool - 1)]:
        unit = int(layer.pools.units[channel, slot])
        at = channel * pool + slot
        kept = np.flatnonzero(pruned[0].weight[at])
        assert kept.tolist() == [channel % 3]
        assert pruned[0].weight[at, kept[0]] == python_entry(9, 0, 0, 3 * unit + channel % 3)
        for row in np.flatnonzero(pruned[1].weight[:, at]):
            scale = 2.0**layer.plan.scale
            stored = python_entry(9, 1, 0, int(row) * width + unit) * scale
            assert pruned[1].weight[row, at] == stored
    assert len(np.unique(layer.pools.units)) == layer.pools.units.size


def test_answers_do_not_depend_on_threads_or_calls():
    net = mlp([(weights(60, 40), weights(60)), (weights(3, 60), None)])
    first = slth.embed(net, 0.02, workers=1)
    second = slth.embed(net, 0.02, workers=3)
    assert first.error == second.error
    for a, b in zip(first.solved, second.solved, strict=True):
        np.testing.assert_array_equal(a.mask, b.mask)
        assert a.digest == b.digest
    other = slth.embed(net, 0.02, workers=1, seed=1)
    assert other.solved[0].digest != first.solved[0].digest


def test_smaller_eps_takes_more_bits():
    bits = [slth.embed(MLP, eps, workers=1).mask_bits for eps in (1.0, 0.1, 0.01, 0.001)]
    assert bits == sorted(bits)
    assert bits[0] < bits[-1]


def test_zero_weights_stay_exactly_zero():
    sparse = np.where(rng.random((6, 5)) < 0.3, weights(6, 5), 0.0)
    net = mlp([(sparse, None), (weights(2, 6), None)])
    found = slth.embed(net, 0.1, domain=slth.Box(0.0, 1.0), workers=1)
    assert (found.effective.items[0].weight[sparse == 0.0] == 0.0).all()


def test_a_target_of_zeros():
    found = slth.embed(mlp([(np.zeros((3, 2)), None), (np.zeros((1, 3)), None)]), 0.1, workers=1)
    assert found.status == "reached"
    assert not found(np.ones((4, 2))).any()


def test_out_of_reach_says_by_how_much():
    found = slth.embed(PLAIN, 1e-13, workers=1)
    assert found.status == "unknown"
    assert 1e-13 < found.error < 1e-4
    assert {plan.samples for plan in found.plans} == {30}


def test_scales_of_weights_do_not_matter():
    for scale in (1e-30, 1e30):
        net = mlp([(scale * PLAIN.items[0].weight, None), (PLAIN.items[1].weight / scale, None)])
        found = slth.embed(net, 0.05, workers=1)
        assert found.status == "reached"


def test_a_relu_network_with_linear_readout_is_a_target():
    net = slth.random_network(3, 5, 0)
    found = slth.embed(net, 0.05, workers=1)
    x = points(PLAIN, slth.Ball(1.0), 100)
    assert np.abs(found(x)[:, 0] - net(x)).max() <= found.error <= 0.05


def test_an_interrupt_ends_the_call():
    def report(progress):
        if progress.phase.startswith("layer"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slth.embed(MLP, 0.1, report=report)


BAD = {
    "eps 0": lambda: slth.embed(PLAIN, 0.0),
    "eps < 0": lambda: slth.embed(PLAIN, -1.0),
    "eps NaN": lambda: slth.embed(PLAIN, float("nan")),
    "radius 0": lambda: slth.Ball(0.0),
    "empty box": lambda: slth.Box(1.0, 0.0),
    "flat box": lambda: slth.embed(PLAIN, 0.1, domain=slth.Box(1.0, 1.0)),
    "uneven box": lambda: slth.embed(PLAIN, 0.1, domain=slth.Box([0.0, 0.5, 0.0], [1.0] * 3)),
    "ball off the origin": lambda: slth.embed(PLAIN, 0.1, domain=slth.Ball(1.0, [0.0, 0.5, 0.0])),
    "orthant": lambda: slth.embed(PLAIN, 0.1, domain=slth.Orthant()),
    "infinite box": lambda: slth.Box(0.0, float("inf")),
    "seed < 0": lambda: slth.embed(PLAIN, 0.1, seed=-1),
    "seed of 64 bits": lambda: slth.embed(PLAIN, 0.1, seed=1 << 63),
    "no workers": lambda: slth.embed(PLAIN, 0.1, workers=0),
    "construction": lambda: slth.embed(PLAIN, 0.1, construction="triple"),
    "no target": lambda: slth.embed(3, 0.1),
    "an empty list": lambda: slth.embed([], 0.1),
    "NaN": lambda: slth.embed([(np.full((2, 2), np.nan), None)], 0.1),
    "relu readout": lambda: slth.embed(slth.random_network(2, 3, 0, "relu"), 0.1),
    "residual, one layer more": lambda: slth.embed(IMAGE, 0.1, construction="plus-one"),
    "residual at the input": lambda: slth.embed(
        DeepNetwork((Residual((Dense(np.eye(2)),)),), input_shape=(2,)), 0.1
    ),
    "biased and padded": lambda: slth.embed(
        DeepNetwork((Conv(np.ones((1, 1, 2, 2)), np.ones(1), 1, 1),), input_shape=(1, 3, 3)), 0.1
    ),
    "another target": lambda: slth.embed(PLAIN, 0.5).certify(MLP),
    "points of another shape": lambda: slth.embed(PLAIN, 0.5)(np.ones(2)),
    "no effective network": lambda: slth.embed(PLAIN, 0.5, construction="plus-one").effective,
}


@pytest.mark.parametrize("call", BAD.values(), ids=BAD)
def test_bad_input_is_refused(call):
    with pytest.raises(slth.InvalidInput):
        call()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (slth.Box([0.0, 0.0], [1.0, 1.0]), slth.Box(0.0, 1.0)),
        (slth.Ball(2.0, [0.0, 0.0]), slth.Ball(2.0)),
    ],
)
def test_a_domain_may_be_said_coordinate_by_coordinate(said, meant):
    target = slth.DeepNetwork([slth.Dense([[0.5, -0.25]]), slth.Relu(), slth.Dense([[1.0]])])
    found, plain = (slth.embed(target, eps=0.1, domain=domain) for domain in (said, meant))
    assert found.domain == plain.domain == meant
    assert found.error == plain.error
    with pytest.raises(slth.InvalidInput, match="in 2 dimensions"):
        slth.embed(target, eps=0.1, domain=slth.Box([0.0], [1.0]))
