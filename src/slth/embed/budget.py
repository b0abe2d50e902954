"""How many samples each layer gets: the fewest mask bits whose predicted error is within eps.

For small errors the certified bound is a sum over layers, kappa_k times the rms error of the
layer's effective weights. kappa_k is the certificate itself on a network whose layer k has
independent normal errors; the rms error of n samples is measured on a few of the layer's own
weights. Samples are then added one at a time where they buy most error for each mask bit.
Nothing here is trusted: the certificate is computed again from the solved mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from slth.embed.certificate import LayerErrors, certified_error, stated
from slth.embed.paired import paired_error
from slth.embed.reach import Even, over_sides, signed
from slth.embed.samples import LEAST_SAMPLES, MOST_SAMPLES, LayerPlan, example
from slth.embed.shape import Target
from slth.layers import FloatArray
from slth.limits import Deadline
from slth.pruning.weights.subset_sum import subset_sum

# Weights of a layer tried for each number of samples and scale, and largest number tried.
_TRIED = 512
_MEASURED = 18
# Scales tried, powers of two from the least whose sums reach nearly every weight.
_SCALES = 2
_REACH_TYPICAL, _REACH_LARGEST = 2.5, 0.5
# Errors so small that the certificate is linear in them.
_SMALL = 1e-9


@dataclass(frozen=True, eq=False)
class Part:
    """The weights or the bias of one layer.

    Attributes:
        layer, bias: which.
        bits: mask bits of one more sample.
        weight: kappa, error of the network for each unit of rms error.
        rms, scale: float64 and int [MOST_SAMPLES + 1], rms error of n samples and the power of
            two of their products that attains it.
    """

    layer: int
    bias: bool
    bits: int
    weight: float
    rms: FloatArray
    scale: NDArray[np.int64]

    def samples(self, plans: Sequence[LayerPlan]) -> int:
        """The samples that the plans give this part."""
        plan = plans[self.layer]
        return plan.bias_samples if self.bias else plan.samples

    def exhausted(self, plans: Sequence[LayerPlan]) -> bool:
        """Whether the part has the most samples there can be."""
        return self.samples(plans) == MOST_SAMPLES

    def learn(self, plans: Sequence[LayerPlan], rms: float) -> float:
        """Put the rms error found in the place of the one measured; the error it predicts."""
        self.rms[self.samples(plans)] = rms
        return self.weight * rms


def parts_of(
    target: Target, domain: Even, copies: bool, seed: int, deadline: Deadline
) -> list[Part]:
    """Weights and biases of every layer that has any; what is past the deadline is not measured."""
    rng = np.random.default_rng([seed, 1])
    parts = []
    for k, (kernel, bias) in enumerate(zip(target.kernels, target.biases, strict=True)):
        sides = 2 if k == 0 and signed(domain) else 1
        bound = copies and k > 0
        replicas = MOST_SAMPLES // 2 if copies and k + 1 < len(target.shapes) else 1
        if kernel.any():
            rms, scale = _measured(kernel, rng, deadline, split=not bound)
            weight = _kappa(target, domain, k, False, rng, copies)
            parts.append(Part(k, False, kernel.size * sides * replicas, weight, rms, scale))
        if bias.any():
            rms, scale = _measured(bias, rng, deadline, split=True)
            weight = _kappa(target, domain, k, True, rng, copies)
            parts.append(Part(k, True, bias.size * replicas, weight, rms, scale))
    return parts


def spend(parts: Sequence[Part], eps: float) -> list[int]:
    """Samples for every part: predicted error at most eps, or the most there can be."""
    counts = [LEAST_SAMPLES for _ in parts]

    def error(place: int, n: int) -> float:
        return parts[place].weight * float(parts[place].rms[n])

    while sum(error(place, n) for place, n in enumerate(counts)) > eps:
        open_ = [place for place, n in enumerate(counts) if n < MOST_SAMPLES]
        if not open_:
            break
        # Measured errors can stay the same for a step: what two samples more gain decides.
        counts[
            max(
                open_,
                key=lambda place: (
                    (
                        error(place, counts[place])
                        - error(place, min(counts[place] + 2, MOST_SAMPLES))
                    )
                    / parts[place].bits
                ),
            )
        ] += 1
    return counts


def plans_of(layers: int, parts: Sequence[Part], counts: Sequence[int]) -> list[LayerPlan]:
    """The plans that these counts make."""
    plans = [LayerPlan(LEAST_SAMPLES, 0, 0, 0) for _ in range(layers)]
    for part, n in zip(parts, counts, strict=True):
        if not part.bias:
            plans[part.layer] = LayerPlan(n, int(part.scale[n]), 0, 0)
    for part, n in zip(parts, counts, strict=True):
        if part.bias:
            plan = plans[part.layer]
            shift = int(part.scale[n]) - plan.scale
            plans[part.layer] = replace(plan, bias_samples=n, bias_scale=shift)
    return plans


def _measured(
    values: FloatArray, rng: np.random.Generator, deadline: Deadline, *, split: bool
) -> tuple[FloatArray, NDArray[np.int64]]:
    """rms error of n samples, and the scale that attains it: float64 and int [MOST_SAMPLES + 1]."""
    flat = values[values != 0.0]
    largest = float(np.abs(flat).max())
    typical = float(np.sqrt(np.mean((flat / largest) ** 2))) * largest
    least = int(np.ceil(np.log2(max(_REACH_TYPICAL * typical, _REACH_LARGEST * largest))))
    wanted = rng.choice(flat, size=_TRIED)
    # The extreme weights decide whether sums reach far enough.
    wanted[:2] = flat.min(), flat.max()
    rms = np.full(MOST_SAMPLES + 1, np.inf)
    scale = np.full(MOST_SAMPLES + 1, least)
    for n in range(LEAST_SAMPLES, _MEASURED + 1):
        if deadline.expired and n > LEAST_SAMPLES:
            break
        products = example(rng, _TRIED, n, split=split)
        for exponent in range(least, least + _SCALES):
            errors = subset_sum(products, wanted / 2.0**exponent).upper * 2.0**exponent
            found = float(np.sqrt(np.mean(errors**2)))
            if found < rms[n]:
                rms[n], scale[n] = found, exponent
    rms[: _MEASURED + 1] = np.minimum.accumulate(rms[: _MEASURED + 1])
    for n in range(_MEASURED + 1, MOST_SAMPLES + 1):
        # One more sample halves the error.
        rms[n], scale[n] = rms[n - 1] * 0.52, scale[_MEASURED]
    return rms, scale


def _kappa(
    target: Target,
    domain: Even,
    place: int,
    bias: bool,
    rng: np.random.Generator,
    copies: bool,
) -> float:
    """The certificate of a network with normal errors of rms 1 in one part, per unit of rms."""
    layers: list[LayerErrors] = []
    sides = 2 if signed(domain) else 1
    wanted = [over_sides(kernel, sides if k == 0 else 1) for k, kernel in enumerate(target.kernels)]
    moved, shifted = list(wanted), list(target.biases)
    for k, (shape, vector) in enumerate(zip(target.shapes, target.biases, strict=True)):
        operator = target.operators[k]
        spread = np.repeat(vector, shape.area)
        error, bias_error = None, np.zeros(len(spread))
        if k == place and bias:
            bias_error = np.full(len(spread), _SMALL)
            shifted[k] = vector + _SMALL * rng.choice([-1.0, 1.0], len(vector))
        elif k == place:
            noise = rng.standard_normal(wanted[k].shape)
            error = shape.operator(noise * _SMALL)
            moved[k] = wanted[k] + noise * _SMALL
        layers.append(LayerErrors(operator, spread, error, bias_error, operator, shape.block))
    bound = certified_error(layers, domain)
    if not copies:
        both = (wanted, target.biases), (moved, shifted)
        bound = min(bound, paired_error(target.shapes, *both, domain, target.network.shape))
    # As stated, since the numbers of samples must not depend on the machine.
    return stated(bound) / _SMALL
