"""Bounds as files state them: the same on every machine, confirmed by every machine."""

import dataclasses

import numpy as np
import pytest

import slth
from slth.embed.certificate import LayerErrors, certified_error, stated
from slth.embed.operator import Operator


def test_a_stated_bound_is_above_and_within_two_millionths():
    rng = np.random.default_rng(0)
    for error in 10.0 ** rng.uniform(-200, 200, 500):
        assert error * (1 + 1e-10) < stated(error) < error * (1 + 3e-6)
    assert stated(0.0) == 0.0
    assert stated(np.inf) == np.inf


def test_last_digits_do_not_change_what_is_stated():
    rng = np.random.default_rng(1)
    errors = rng.uniform(0.01, 1.0, 2000)
    noisy = errors * (1.0 + rng.uniform(-1e-14, 1e-14, 2000))
    same = [stated(one) == stated(other) for one, other in zip(errors, noisy, strict=True)]
    assert all(same)
    # Another order of additions never exceeds what one has stated.
    assert all(other <= stated(one) for one, other in zip(errors, noisy, strict=True))


class Reversed(Operator):
    """The same matrix, products added in the opposite order."""

    def above(self, vector):
        flipped = Operator(np.ascontiguousarray(self.matrix[:, ::-1]))
        return flipped.above(np.ascontiguousarray(vector[::-1]))

    def image(self, vector):
        flipped = Operator(np.ascontiguousarray(self.matrix[:, ::-1]))
        return flipped.image(np.ascontiguousarray(vector[::-1]))


@pytest.mark.parametrize("seed", range(5))
def test_another_order_of_sums_gives_the_same_statement(seed):
    rng = np.random.default_rng(seed)
    matrices = [rng.standard_normal((30, 20)), rng.standard_normal((4, 30))]
    noises = [1e-3 * rng.standard_normal(matrix.shape) for matrix in matrices]
    values = []
    for kind in (Operator, Reversed):
        layers = [
            LayerErrors(
                kind(matrix),
                np.zeros(len(matrix)),
                kind(noise),
                np.zeros(len(matrix)),
                kind(matrix + noise),
            )
            for matrix, noise in zip(matrices, noises, strict=True)
        ]
        values.append(certified_error(layers, slth.Box(0.0, 1.0)))
    assert stated(values[0]) == stated(values[1])
    assert max(values) <= stated(values[0])


def test_embeddings_state_and_confirm():
    rng = np.random.default_rng(0)
    target = [(rng.normal(size=(8, 5)) / 3, rng.normal(size=8)), (rng.normal(size=(2, 8)), None)]
    embedding = slth.embed(target, eps=0.1, domain=slth.Box(0.0, 1.0))
    assert embedding.certify(target) == embedding.error
    # 20 bits, so that other orders of sums state it, too.
    part = np.frexp(embedding.error)[0] * 2**20
    assert part == np.floor(part)
    # What is not proven is not confirmed.
    claimed = dataclasses.replace(embedding, error=embedding.error * (1.0 - 1e-5))
    assert claimed.certify(target) == embedding.error
