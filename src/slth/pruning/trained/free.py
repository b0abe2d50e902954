"""Hidden units that can go for nothing, each with an exact proof.

- *Unread*: all weights that read the unit are 0.
- *Dead*: the unit is 0 at every point of the domain; its largest value before the ReLU is bounded
  rigorously.
- *Parallel*: with (w_j, b_j) = c (w_i, b_i), c > 0, in exact arithmetic, unit j is c times unit i,
  for what follows up to the next weights is positively homogeneous. Unit i takes over what reads j.
  That changes weights, so it is more than pruning, and is only done where the new ones are floats.
- *Always on*, and spanned by others that are: `slth.pruning.trained.fold`; more than pruning, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from slth.deep import DeepNetwork
from slth.domain import Domain
from slth.layers import Affine, Conv, Dense, FloatArray, bias_of
from slth.network import BoolArray
from slth.pruning.trained.fold import folded, plain, values_on
from slth.pruning.trained.hidden import HiddenUnits

# Directions are compared to this before they are in exact arithmetic.
_NEARLY_PARALLEL = 1e-9


@dataclass(frozen=True)
class Free:
    """What goes for nothing.

    Attributes:
        network: equal on the domain to the one that was given, of as many units; merged and folded
            units are read by nothing in it. Layers that took folded units over state by how much
            their numbers are off.
        needed: bool [units], those that stay.
        always: bool [units], those that can go whatever else goes: unread, merged, folded, and dead
            in the first hidden layer. A dead unit behind it may come to life without the units
            before it.
        dead, unread, parallel, folded: how many of each went.
        places: of the layers, among the items with every activation, that state what folding
            rounds.
    """

    network: DeepNetwork
    needed: BoolArray
    always: BoolArray
    dead: int
    unread: int
    parallel: int
    folded: int = 0
    places: tuple[int, ...] = ()

    def plain(self, network: DeepNetwork) -> DeepNetwork:
        """The network, or a pruned one, of the floats alone: as it is written."""
        return plain(network, self.places)


def free_units(
    network: DeepNetwork, domain: Domain, *, merge: bool = False, fold: bool = False
) -> Free:
    """Units of a network without residual blocks that can go for nothing on the domain.

    merge: whether parallel units are taken together.
    fold: whether units that are always on are folded into the next layer.
    """
    given, parallel, gone, places = network, 0, 0, ()
    if merge:
        network, parallel = _merged(network)
    if fold:
        network, places, gone = folded(network, domain)
    hidden = HiddenUnits(network)
    unread = unread_units(hidden)
    dead = _dead(hidden, domain) & ~unread
    first = np.arange(hidden.total) < (hidden.widths[0] if hidden.widths else 0)
    needed = ~(unread | dead)
    if not hidden.possible(needed):
        # A convolution needs a channel: the layers stay as they are.
        return Free(given, np.ones_like(needed), np.zeros_like(needed), 0, 0, 0)
    return Free(
        network,
        needed,
        unread | (dead & first),
        int(dead.sum()),
        int(unread.sum()) - parallel - gone,
        parallel,
        gone,
        places,
    )


def unread_units(hidden: HiddenUnits) -> BoolArray:
    """bool [units]: hidden units that nothing reads."""
    found = [_unread(hidden, place) for place in range(len(hidden.widths))]
    return np.concatenate(found) if found else np.zeros(0, np.bool_)


def _unread(hidden: HiddenUnits, place: int) -> BoolArray:
    """bool [width]: units of a hidden layer that nothing reads."""
    reader, width = hidden.layers[place + 1], hidden.widths[place]
    read = reader.weight != 0.0
    if reader.weight_rounding is not None:
        read = read | (reader.weight_rounding != 0.0)
    return ~np.any(_by_unit(read, width), axis=(0, 2))


def _by_unit(weight: np.ndarray, width: int) -> np.ndarray:
    """[out, in, ...] as [out, width, rest]: a unit of an image has several inputs of a Dense
    layer."""
    return weight.reshape(weight.shape[0], width, -1)


def _dead(hidden: HiddenUnits, domain: Domain) -> BoolArray:
    """bool [units]: those that are 0 on the whole domain."""
    trace = values_on(hidden.network, domain)
    dead: list[BoolArray] = []
    own = [place for place, item in enumerate(hidden.items) if isinstance(item, Dense | Conv)]
    for width, (_, after) in zip(hidden.widths, pairwise(own), strict=True):
        values = trace.before[after].net
        assert values is not None
        zero = (values.low[0] == 0.0) & (values.high[0] == 0.0)
        dead.append(zero.reshape(width, -1).all(axis=1))
    return np.concatenate(dead) if dead else np.zeros(0, np.bool_)


def _merged(network: DeepNetwork) -> tuple[DeepNetwork, int]:
    """The network with parallel units taken together, those left over read by nothing."""
    hidden = HiddenUnits(network)
    items, merged = list(hidden.items), 0
    own = [place for place, item in enumerate(items) if isinstance(item, Dense | Conv)]
    for here, after in pairwise(own):
        layer, reader = items[here], items[after]
        assert isinstance(layer, Dense | Conv)
        assert isinstance(reader, Dense | Conv)
        if any(part.weight_rounding is not None for part in (layer, reader)):
            continue
        if layer.bias_rounding is not None:
            continue
        reader, count = _taken_over(layer, reader)
        items[after] = reader
        merged += count
    return (hidden.with_items(items), merged) if merged else (network, 0)


def _taken_over(layer: Affine, reader: Affine) -> tuple[Affine, int]:
    """What reads a layer, with its parallel units taken together."""
    width = layer.weight.shape[0]
    rows = np.column_stack([layer.weight.reshape(width, -1), bias_of(layer)])
    weight = _by_unit(reader.weight, width).copy()
    length = np.abs(rows).max(axis=1, keepdims=True)
    directions = rows / np.where(length > 0.0, length, 1.0)
    gone = length[:, 0] == 0.0
    count = 0
    for i in range(width):
        if gone[i]:
            continue
        near = np.abs(directions - directions[i]).max(axis=1) <= _NEARLY_PARALLEL
        for j in np.flatnonzero(near & ~gone):
            if j <= i or not weight[:, j].any():
                continue
            taken = _sum_exactly(weight[:, i], weight[:, j], _factor(rows[i], rows[j]))
            if taken is not None:
                weight[:, i], weight[:, j] = taken, 0.0
                gone[j] = True
                count += 1
    return replace(reader, weight=weight.reshape(reader.weight.shape)), count


def _factor(row: FloatArray, other: FloatArray) -> Fraction | None:
    """c with other = c row exactly; None if there is none."""
    place = int(np.abs(row).argmax())
    factor = Fraction(float(other[place])) / Fraction(float(row[place]))
    equal = all(
        Fraction(b) == factor * Fraction(a)
        for a, b in zip(row.tolist(), other.tolist(), strict=True)
    )
    return factor if equal and factor > 0 else None


def _sum_exactly(one: FloatArray, other: FloatArray, factor: Fraction | None) -> FloatArray | None:
    """one + factor other where all of that is floats."""
    if factor is None:
        return None
    sums = [
        Fraction(a) + factor * Fraction(b)
        for a, b in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True)
    ]
    try:
        floats = [float(value) for value in sums]
    except OverflowError:
        return None
    if any(Fraction(value) != real for value, real in zip(floats, sums, strict=True)):
        return None
    return np.array(floats).reshape(one.shape)
