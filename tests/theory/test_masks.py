"""Weight masks with a linear readout: the angles, the terms of the sum, brute force in the
plane."""

import itertools
import math

import numpy as np
import pytest
from flint import arb

from slth import theory
from slth.errors import InvalidInput
from slth.theory.zonal.closed_form import interpolation_constants
from slth.theory.zonal.masks import _masked
from tests.theory.test_bounds import best_subset_error


def test_a_masked_unit_is_at_least_that_far_from_the_target():
    rng = np.random.default_rng(0)
    for _ in range(300):
        d = int(rng.integers(2, 9))
        target = rng.standard_normal(d)
        target /= np.linalg.norm(target)
        kept = rng.random(d) < 0.6
        if not kept.any() or kept.all():
            continue
        unit = np.where(kept, rng.standard_normal(d), 0.0)
        inside = np.where(kept, target, 0.0)
        omega = math.sqrt(1 - float(inside @ inside))
        cosine = abs(unit @ target) / np.linalg.norm(unit)
        within = abs(unit @ inside) / np.linalg.norm(unit) / np.linalg.norm(inside)
        squared = 1 / cosine**2 - 1
        assert squared >= (omega**2 + 1 / within**2 - 1) * (1 - 1e-9)
        assert cosine <= within * (1 + 1e-12)


@pytest.mark.parametrize(
    ("kept", "m", "omega"), [(1, 4, 0.5), (2, 4, 0.3), (3, 6, 0.6), (5, 8, 0.4)]
)
def test_the_terms_of_the_sum_bound_their_means(kept, m, omega):
    # E of min(delta/8, B delta^m cos(theta') (omega^2 + tan^2)^(-(m-1)/2)) over the angle theta'.
    delta = 0.2
    slope, reach = (float(x) for x in interpolation_constants(m))
    rng = np.random.default_rng(kept)
    v = rng.standard_normal((400_000, kept))
    cosine = np.abs(v[:, 0]) / np.linalg.norm(v, axis=1)
    tangent = 1 / cosine**2 - 1
    far = slope * delta**m * cosine * (omega**2 + tangent) ** (-(m - 1) / 2)
    mean = np.minimum(delta / 8, far).mean()
    bound = float(_masked(kept, m, arb(delta), arb(reach), arb(omega)))
    assert mean <= bound * (1 + 1e-3)
    assert mean >= 0.1 * bound


def test_brute_force_over_all_masks_in_the_plane():
    eps, delta = 0.008, 0.4
    bound = theory.weight_mask_width([1.0, 1.0], eps, 1.0, delta)
    width = min(int(bound.value), 4)
    assert width == 4
    rng = np.random.default_rng(3)
    target = np.full(2, math.sqrt(0.5))
    reached, draws = 0, 25
    for _ in range(draws):
        hidden, output = rng.standard_normal((width, 2)), rng.standard_normal(width)
        best = math.inf
        for masks in itertools.product(([1, 1], [1, 0], [0, 1]), repeat=width):
            best = min(best, best_subset_error(hidden * np.array(masks), output, target, 1.0))
            if best <= eps:
                break
        reached += best <= eps
    assert reached <= delta * draws + 4 * math.sqrt(draws * delta * (1 - delta))


def test_planes_against_their_closed_form_and_one_plane():
    cut = 2 * 2 * math.atan(2 * 1e-4 / math.sqrt(0.2)) / math.pi
    width = int(theory.weight_mask_width([1.0] * 10, 1e-4).constants["planes"])
    assert (1 - (1 - cut) ** width) ** 5 <= 0.05 < (1 - (1 - cut) ** (width + 1)) ** 5


def test_flat_targets_cost_nothing_as_eps_falls_and_sparse_ones_are_not_bound():
    for d in (3, 6):
        neurons = theory.zonal_width(d, 1e-7).constants["log10_closed_form"]
        masks = theory.weight_mask_width([1.0] * d, 1e-7).value
        assert math.log10(masks) == pytest.approx(neurons, abs=0.05)
    assert theory.weight_mask_width([0.0, 2.0, 0.0], 1e-4).value == 0
    sparse = theory.weight_mask_width([1.0, 1.0, 0.0, 0.0], 1e-4).value
    assert sparse == theory.weight_mask_width([1.0, 1.0], 1e-4).value
    wide = [theory.weight_mask_width([1.0, 1.0, 1.0, t], 1e-4).value for t in (0, 0.01, 0.5, 1.0)]
    assert wide == sorted(wide)
    in_eps = [theory.weight_mask_width([3.0, 2.0, 1.0], e).value for e in (1e-2, 1e-3, 1e-4)]
    assert in_eps == sorted(in_eps)


@pytest.mark.parametrize("target", [[0.0, 0.0], [1.0, math.inf]])
def test_bad_targets_are_named(target):
    with pytest.raises(InvalidInput):
        theory.weight_mask_width(target, 0.01)
