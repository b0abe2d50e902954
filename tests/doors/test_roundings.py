"""What folding rounds is stated: held against exact rationals, and no term is needless.

The real weights are computed in rationals, or in Arb at 300 bits where a root is in them. Every
case has an entry whose error is more than what is left of the bound without one of its terms.
"""

from fractions import Fraction
from itertools import pairwise

import flint
import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import slth
from slth.doors.folding import product, reciprocal_off, total
from slth.doors.normalise import behind_scaler, standardised
from slth.doors.onnx import from_onnx
from slth.layers import bias_of
from tests.doors.graphs import RNG, model_of, weights

UNIT = 2.0**-53


def exact(values):
    """Floats as an object array of rationals."""
    return np.vectorize(Fraction, otypes=[object])(np.asarray(values, np.float64))


def shares(value, off, real):
    """|value - real| / off for every entry; an off of 0 must be right."""
    error = abs(exact(value) - real)
    bound = exact(np.zeros_like(value) if off is None else off)
    assert (error <= bound).all(), f"off by {float(max((error - bound).ravel()))} too much"
    told = bound != 0
    return np.array((error[told] / bound[told]).astype(np.float64))


def layer_shares(layer, weight, bias):
    return (
        shares(layer.weight, layer.weight_rounding, weight),
        shares(bias_of(layer), layer.bias_rounding, bias),
    )


SIZES = [1.0, 1e-3, 1e5, 2.0**-40]


@pytest.mark.parametrize("one_off", [0.0, 1e-9])
@pytest.mark.parametrize("other_off", [0.0, 1e-9])
def test_a_product_with_the_worst_of_its_offs(one_off, other_off):
    one, other = RNG.normal(size=(2, 1000)) * RNG.choice(SIZES, (2, 1000))
    value, off = product(one, one_off * np.abs(one), other, other_off * np.abs(other))
    for signs in (1, -1):
        real = exact(one) * exact(other)
        reached = (exact(one) + signs * exact(np.sign(one) * one_off * np.abs(one))) * (
            exact(other) + signs * exact(np.sign(other) * other_off * np.abs(other))
        )
        shares(value, off, real)
        share = shares(value, off, reached)
        # Without the product of both offs the outer end would not be held.
        if one_off and other_off and signs == 1:
            alone = exact(np.abs(one) * other_off * np.abs(other) * 2.0)
            assert (abs(exact(value) - reached) > alone).any()
        if one_off or other_off:
            assert share.max() > 0.9
    if not one_off and not other_off:
        assert shares(value, off, exact(one) * exact(other)).max() > 0.8


def test_a_product_of_subnormal_numbers():
    one, other = np.array([3e-200, 1.5 * 2.0**-1060, 2.0**-1000]), np.array([7e-120, 0.3, 2.0**-70])
    value, off = product(one, np.zeros(3), other, np.zeros(3))
    assert (off > 0.0).all()
    shares(value, off, exact(one) * exact(other))
    # A relative bound alone misses them.
    missed = abs(exact(value) - exact(one) * exact(other)) > exact(UNIT * np.abs(value))
    assert missed.any()


def test_exact_products_say_so():
    one, other = np.array([1.7, 0.0, 1e300, -3.0]), np.array([-0.25, 1e-320, 2.0**20, 1.0])
    value, off = product(one, np.zeros(4), other, np.zeros(4))
    assert not off.any()
    assert (exact(value) == exact(one) * exact(other)).all()


def test_a_sum_is_off_by_just_what_two_sum_says():
    one, other = RNG.normal(size=(2, 1000)) * RNG.choice(SIZES, (2, 1000))
    value, off = total(one, np.zeros(1000), other, np.zeros(1000))
    share = shares(value, off, exact(one) + exact(other))
    assert share.min() > 0.99
    value, off = total(one, np.full(1000, 1e-9), other, np.full(1000, 2e-9))
    assert shares(value, off, exact(one) + exact(other) + exact(3e-9)).max() > 0.99


def test_a_reciprocal():
    values = np.concatenate([RNG.normal(size=1000), [4.0, -0.5, 2.0**1023, 1.7e308]])
    off = reciprocal_off(1.0 / values, values)
    share = shares(1.0 / values, off, 1 / exact(values))
    assert share.max() > 0.9
    assert not off[1000:1002].any()


def batch_norm_reals(weight, bias, gain, shift, mean, variance, epsilon):
    """The folded weights to 300 bits, as rationals."""
    flint.ctx.prec = 300
    try:
        rows = []
        for k in range(len(gain)):
            root = flint.arb(rational(variance[k]) + rational(epsilon)).sqrt()
            factor = fraction_of(flint.arb(rational(gain[k])) / root)
            row = [factor * w for w in exact(weight[k]).ravel()]
            rows.append(
                [*row, factor * (Fraction(bias[k]) - Fraction(mean[k])) + Fraction(shift[k])]
            )
        return rows
    finally:
        flint.ctx.prec = 53


def rational(value):
    found = Fraction(float(value))
    return flint.fmpq(found.numerator, found.denominator)


def fraction_of(ball):
    man, exp = ball.mid().man_exp()
    return Fraction(int(man)) * Fraction(2) ** int(exp)


@pytest.mark.parametrize("scale", SIZES)
def test_batch_normalisation_folded_into_a_layer(scale):
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(3, 400), torch.nn.BatchNorm1d(400)).double().eval()
    norm = module[1]
    with torch.no_grad():
        norm.weight.normal_().mul_(scale)
        norm.bias.normal_()
    norm.running_mean.normal_()
    norm.running_var.uniform_(1e-6, 2.0)
    (layer,) = slth.DeepNetwork.of(slth.as_network(module)).items
    arrays = [t.detach().numpy() for t in (module[0].weight, module[0].bias, norm.weight, norm.bias,
                                           norm.running_mean, norm.running_var)]  # fmt: skip
    rows = np.array(batch_norm_reals(*arrays, norm.eps), dtype=object)
    weight_shares, bias_shares = layer_shares(layer, rows[:, :-1], rows[:, -1])
    # The factor's four units and the product's one: no bound of the product's alone would hold.
    product_alone = exact(UNIT * np.abs(layer.weight))
    assert (abs(exact(layer.weight) - rows[:, :-1]) > product_alone).any()
    assert weight_shares.max() > 0.2
    assert bias_shares.max() > 0.05


def test_scalers_one_behind_another_keep_the_first_ones_rounding():
    x = RNG.normal(size=(40, 6)) * 5.0 + 3.0
    first, second = StandardScaler().fit(x), MinMaxScaler()
    second.fit(first.transform(x))
    scaled = second.transform(first.transform(x))
    model = MLPRegressor(hidden_layer_sizes=(3000,), max_iter=2, random_state=0)
    with pytest.warns(ConvergenceWarning):
        model.fit(scaled, x[:, 0])
    network = slth.as_network(make_pipeline(first, second, model))
    weight, bias = exact(model.coefs_[0].T), exact(model.intercepts_[0])
    weight, bias = weight * exact(second.scale_), bias + weight.dot(exact(second.min_))
    folded = (
        weight / exact(first.scale_),
        bias - weight.dot(exact(first.mean_) / exact(first.scale_)),
    )
    found = layer_shares(network.items[0], *folded)
    assert max(found[0].max(), found[1].max()) <= 1.0
    # What the second fold alone would state is too little.
    layer = slth.Dense(model.coefs_[0].T, model.intercepts_[0])
    layer = behind_scaler(layer, second.scale_, np.zeros(6), second.min_, np.zeros(6))
    plain = slth.Dense(layer.weight, layer.bias)
    alone = behind_scaler(plain, *standardised(first.mean_, first.scale_, "scaler"))
    error = abs(exact(alone.weight) - folded[0])
    assert (error > exact(alone.weight_rounding)).any()


@pytest.mark.parametrize("term", ["factor", "shift", "weight", "bias"])
def test_every_off_of_a_scaler_reaches_the_layer(term):
    weight, bias = RNG.normal(size=(20, 4)), RNG.normal(size=20)
    factor, shift = RNG.normal(size=(2, 4))
    off = dict.fromkeys(("factor", "shift", "weight", "bias"), 0.0) | {term: 1e-6}
    layer = slth.Dense(weight, bias, np.full((20, 4), off["weight"]), np.full(20, off["bias"]))
    folded = behind_scaler(
        layer, factor, np.full(4, off["factor"]), shift, np.full(4, off["shift"])
    )
    for sign in (1, -1):
        signs = (
            exact(np.sign(weight * factor)) * exact(sign * off["weight"]) * exact(np.sign(factor))
        )
        moved_weight = exact(weight) + signs
        moved_factor = exact(factor) + exact(sign * off["factor"])
        real = moved_weight * moved_factor
        shares(folded.weight, folded.weight_rounding, real)
        # The worst shift for the bias.
        towards = exact(np.sign(weight)) * exact(sign * off["shift"])
        widened = exact(weight) + exact(np.sign(shift) * sign * off["weight"])
        moved = (widened * (exact(shift) + towards)).sum(axis=1)
        shares(folded.bias, folded.bias_rounding, exact(bias) + exact(sign * off["bias"]) + moved)


def test_a_shift_that_underflows_is_stated():
    weight, shift = np.full((2, 3), 2.0**-600), np.full(3, 2.0**-500)
    folded = behind_scaler(slth.Dense(weight), np.ones(3), np.zeros(3), shift, np.zeros(3))
    real = exact(weight).dot(exact(shift))
    # The products are 0 in floats, and so is every bound relative to them.
    assert not bias_of(folded).any()
    assert (real > 0).all()
    shares(bias_of(folded), folded.bias_rounding, real)
    # So is a product with what a shift is off by.
    off = behind_scaler(slth.Dense(weight, np.ones(2)), np.ones(3), np.zeros(3), np.zeros(3), shift)
    shares(bias_of(off), off.bias_rounding, 1 + real)


def test_gemm_with_alpha_and_beta():
    tensors = {"W": weights(60, 5), "b": weights(60)}
    options = {"transB": 1, "alpha": 0.3, "beta": -0.7}
    (layer,) = from_onnx(
        model_of([("Gemm", ["x", "W", "b"], "y", options)], ["n", 5], tensors)
    ).items
    alpha, beta = Fraction(float(np.float32(0.3))), Fraction(float(np.float32(-0.7)))
    # Products of float32 numbers are floats; of float64 ones they are not.
    layer_shares(layer, exact(tensors["W"]) * alpha, exact(tensors["b"]) * beta)
    wide = {name: value * np.float64(np.pi) for name, value in tensors.items()}
    nodes = [("Gemm", ["x", "W", "b"], "y", options)]
    (layer,) = from_onnx(model_of(nodes, ["n", 5], wide, elem=11)).items
    found = layer_shares(layer, exact(wide["W"]) * alpha, exact(wide["b"]) * beta)
    assert min(part.max() for part in found) > 0.8


def test_onnx_division_and_products():
    tensors = {"W": weights(50, 5), "b": weights(50), "c": weights(50), "e": weights(50)}
    nodes = [("Gemm", ["x", "W", "b"], "g", {"transB": 1}), ("Div", ["g", "c"], "h", {}),
             ("Mul", ["h", "e"], "y", {})]  # fmt: skip
    (layer,) = from_onnx(model_of(nodes, ["n", 5], tensors)).items
    factor = exact(tensors["e"]) / exact(tensors["c"])
    found = layer_shares(layer, exact(tensors["W"]) * factor[:, None], exact(tensors["b"]) * factor)
    assert found[0].max() > 0.3
    # The quotient and both products: more than one unit.
    error = abs(exact(layer.weight) - exact(tensors["W"]) * factor[:, None])
    assert (error > exact(UNIT * np.abs(layer.weight))).any()


def test_onnx_sums_that_round():
    tensors = {"W": weights(50, 5), "b": weights(50), "c": weights(50) * np.float32(1e-9)}
    nodes = [("Gemm", ["x", "W", "b"], "g", {"transB": 1}), ("Add", ["g", "c"], "y", {})]
    (layer,) = from_onnx(model_of(nodes, ["n", 5], tensors)).items
    assert layer.weight_rounding is None
    share = shares(layer.bias, layer.bias_rounding, exact(tensors["b"]) + exact(tensors["c"]))
    assert share.max() > 0.99


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("kernel", [2, 3, (2, 5)])
def test_average_pools(kernel, counted):
    pool = slth.AveragePool(kernel, 1, 1, counted)
    (step,) = slth.DeepNetwork((pool,), input_shape=(1, 5, 6)).affine_maps()
    matrix = step.matrix.toarray()
    off = np.zeros_like(matrix) if step.matrix_rounding is None else step.matrix_rounding.toarray()
    held = matrix != 0.0
    rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    counts = np.full(len(matrix), rows * columns) if counted else held.sum(axis=1)
    real = np.array([[Fraction(int(flag), int(n)) for flag in row]
                     for row, n in zip(held, counts, strict=True)], dtype=object)  # fmt: skip
    share = shares(matrix, off, real)
    assert share.size == 0 or share.max() > 0.3
    assert (off > 0.0).any() == any(n & (n - 1) for n in counts)


def test_nnet_normalisation(tmp_path):
    sizes, mean, spread = [3, 40, 20], [0.1, -3.7, 11.3], [1.3, 0.7, 5.9]
    path, (w, b, v, c) = written_nnet(tmp_path, sizes, mean, spread, 2.3, 7.7)
    first, last = slth.read_network(path).items
    real = exact(w) / exact(spread)
    found = layer_shares(first, real, exact(b) - real.dot(exact(mean)))
    assert found[0].max() > 0.3
    assert found[1].max() > 0.02
    found = layer_shares(last, exact(v) * exact(7.7), exact(c) * exact(7.7) + exact(2.3))
    assert found[0].max() > 0.8
    assert found[1].max() > 0.3
    # One layer gets both.
    path, (w, b) = written_nnet(tmp_path, [3, 40], mean, spread, 2.3, 7.7)
    (layer,) = slth.read_network(path).items
    real = exact(w) / exact(spread)
    bias = (exact(b) - real.dot(exact(mean))) * exact(7.7) + exact(2.3)
    layer_shares(layer, real * exact(7.7), bias)


def written_nnet(tmp_path, sizes, mean, spread, rise, gain):
    head = [len(sizes) - 1, sizes[0], sizes[-1], max(sizes)]
    rows = [head, sizes, [0], [-1.0] * 3, [1.0] * 3, [*mean, rise], [*spread, gain]]
    arrays = []
    for before, after in pairwise(sizes):
        w, b = RNG.normal(size=(after, before)), RNG.normal(size=after)
        rows += [*w.tolist(), *b[:, None].tolist()]
        arrays += [w, b]
    path = tmp_path / "net.nnet"
    lines = [",".join(map(repr, row)) + "," for row in rows]
    path.write_text("\n".join(["// a comment", *lines]) + "\n")
    return path, arrays
