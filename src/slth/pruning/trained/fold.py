"""Units that are on all of the domain, folded into what reads them.

Where z_j >= 0 on the domain the unit is the affine function z_j of what the layer reads. If its
row is a combination of rows of other such units, then z_j = sum_i a_i z_i + beta on the domain, and
what reads them takes it over: V_i + V_j a_i for V_i and c + V_j beta for c (Serra, Kumar,
Ramalingam, "Lossless compression of deep neural networks", CPAIOR 2020). A layer of n inputs that
vary needs at most n units that are always on; a unit that is constant needs none.

The a_i are floats, so that the equation holds up to some delta_j. The new layer states what it is
off by: its weights by their rounding; its bias by its own and |V_oj| delta_j. What a layer states
is, at every input, allowed to be another number: so what is proven of the stated network for all
numbers within its rounding is proven of the original.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import scipy

from slth.certify.deep.bounds import Difference, relax
from slth.certify.deep.forward import Range, Trace
from slth.certify.deep.program import program_of
from slth.certify.deep.region import Region
from slth.deep import DeepNetwork
from slth.domain import Domain
from slth.layers import Activation, Dense, FloatArray, bias_of
from slth.network import BoolArray
from slth.pruning.trained.hidden import HiddenUnits
from slth.rounding.outward import TINY, UNIT

# Of the largest row: what is left of a row that the others span, after rounding.
_SPANNED = 1e-11
# delta_j is at most this share of the unit's largest value: some thousands of roundings, far below
# what a row that is truly independent leaves.
_NEARLY_EXACT = 2.0**-40


def values_on(network: DeepNetwork, domain: Domain) -> Trace:
    """Rigorous ranges of all values on the domain, before each of its steps."""
    region = Region.of(domain, network.d)
    program = program_of(network, network)
    return relax(Difference.of(program, region), region).trace


def folded(network: DeepNetwork, domain: Domain) -> tuple[DeepNetwork, tuple[int, ...], int]:
    """The network with units that are always on folded into dense layers; those that were are read
    by nothing in it.

    Returns:
        the network, the places among its items (activations spelled out) of the layers that state
        what the folding rounds, and how many units were folded.
    """
    hidden = HiddenUnits(network)
    trace = values_on(network, domain)
    items, places, count = list(hidden.items), [], 0
    own = [place for place, item in enumerate(items) if not isinstance(item, Activation)]
    for here, after in pairwise(own):
        layer, reader = hidden.items[here], hidden.items[after]
        if not (_is_exact(layer) and _is_exact(reader)):
            continue
        inputs, values = trace.before[here].net, trace.before[here + 1].net
        assert inputs is not None
        assert values is not None
        on = (values.low[0] >= 0.0) & (values.high[0] > 0.0)
        if after == here + 1:
            # No activation between them.
            on[:] = True
        assert isinstance(layer, Dense)
        assert isinstance(reader, Dense)
        on &= reader.weight.any(axis=0)
        taken = _taken_over(layer, reader, inputs, on)
        if taken is not None:
            items[after], gone = taken
            places.append(after)
            count += gone
    return (hidden.with_items(items), tuple(places), count) if count else (network, (), 0)


def plain(network: DeepNetwork, places: tuple[int, ...]) -> DeepNetwork:
    """The network of the floats alone, without what folding states at these places."""
    if not places:
        return network
    hidden = HiddenUnits(network)
    items = list(hidden.items)
    for place in places:
        items[place] = replace(items[place], weight_rounding=None, bias_rounding=None)  # type: ignore[call-arg]
    return hidden.with_items(items)


def _is_exact(item: object) -> bool:
    """Whether it is a dense layer whose weights are what they stand for."""
    return isinstance(item, Dense) and item.weight_rounding is None and item.bias_rounding is None


def _taken_over(
    layer: Dense, reader: Dense, inputs: Range, on: BoolArray
) -> tuple[Dense, int] | None:
    """The reader that took over what the others span of the units that are on, and how many went;
    None where none can."""
    low, high = inputs.low[0], inputs.high[0]
    center = np.clip(0.5 * low + 0.5 * high, low, high)
    reach = np.maximum(high - center, center - low) * (1.0 + 4.0 * UNIT)
    with np.errstate(over="ignore", invalid="ignore"):
        chosen = _combinations(layer.weight * reach, np.flatnonzero(on))
        if chosen is None:
            return None
        basis, others, factors = chosen
        shift, delta = _shifts(layer, basis, others, factors, center, reach)
        largest = (np.abs(layer.weight[others]) @ reach) + np.abs(shift)
        good = delta <= _NEARLY_EXACT * largest
        if not good.any():
            return None
        others, factors, shift, delta = others[good], factors[good], shift[good], delta[good]
        taken = _reader(reader, basis, others, factors, shift, delta)
    return None if taken is None else (taken, len(others))


def _combinations(
    rows: FloatArray, units: np.ndarray
) -> tuple[np.ndarray, np.ndarray, FloatArray] | None:
    """Units whose rows span those of all, the others, and factors: float64 [others, basis]."""
    part = rows[units]
    if not len(units) or not np.isfinite(part).all():
        return None
    if not part.any():
        # Constants: they need no basis.
        return units[:0], units, np.zeros((len(units), 0))
    upper, pivots = scipy.linalg.qr(part.T, mode="r", pivoting=True)
    diagonal = np.abs(np.diagonal(upper))
    rank = int((diagonal > _SPANNED * diagonal.max(initial=0.0)).sum())
    if rank == len(units):
        return None
    factors = scipy.linalg.solve_triangular(upper[:rank, :rank], upper[:rank, rank:])
    return units[pivots[:rank]], units[pivots[rank:]], np.asarray(factors.T)


def _shifts(
    layer: Dense,
    basis: np.ndarray,
    others: np.ndarray,
    factors: FloatArray,
    center: FloatArray,
    reach: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """beta_j, and delta_j: at most |z_j - sum_i a_i z_i - beta_j| where |h - center| <= reach.

    That is the row of what is left times h - center, and what the value at the center is off by.
    """
    weight, size = layer.weight, np.abs(factors)
    unit = 4.0 * (weight.shape[1] + len(basis) + 8) * UNIT
    left = weight[others] - factors @ weight[basis]
    left_size = np.abs(weight[others]) + size @ np.abs(weight[basis])
    middle = weight @ center + bias_of(layer)
    middle_size = np.abs(weight) @ np.abs(center) + np.abs(bias_of(layer))
    shift = middle[others] - factors @ middle[basis]
    off = unit * (middle_size[others] + size @ middle_size[basis])
    delta = (np.abs(left) + unit * left_size + TINY) @ reach + off
    return shift, delta * (1.0 + unit) + TINY


def _reader(
    reader: Dense,
    basis: np.ndarray,
    others: np.ndarray,
    factors: FloatArray,
    shift: FloatArray,
    delta: FloatArray,
) -> Dense | None:
    """The reader after the others went; None where it would not be finite."""
    weight, bias = reader.weight.copy(), bias_of(reader)
    gone = weight[:, others]
    unit = 4.0 * (len(others) + 8) * UNIT
    off, size = np.zeros_like(weight), np.abs(gone)
    off[:, basis] = unit * (np.abs(weight[:, basis]) + size @ np.abs(factors)) + TINY
    weight[:, basis] += gone @ factors
    weight[:, others] = 0.0
    bias_off = unit * (np.abs(bias) + size @ np.abs(shift)) + size @ delta * (1.0 + unit) + TINY
    bias = bias + gone @ shift
    if not all(np.isfinite(part).all() for part in (weight, bias, off, bias_off)):
        return None
    return Dense(weight, bias, off, bias_off * (1.0 + unit))
