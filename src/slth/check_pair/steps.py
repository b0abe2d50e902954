"""Two networks as one list of steps: what the checker of pairs bounds, leaf by leaf.

Where both take steps of the same kinds, their values z, z' and the difference z - z' travel
together: z = W h + b and z' = W' h' + b' give z - z' = W' (h - h') + (W - W') h + (b - b').
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from slth.deep import Activate, DeepNetwork, Skip, Step
from slth.errors import InvalidInput
from slth.layers import AffineMap, FloatArray, Matrix
from slth.rounding.outward import UNIT

FORK, JOIN = "fork", "join"


@dataclass(frozen=True, eq=False)
class Map:
    """z = weight h + bias; the real entries lie within `off` and `bias_off` of these floats.

    Attributes:
        weight, off: float64 [m, n], dense or csr; off None: exact.
        bias, bias_off: float64 [m].
    """

    weight: Matrix
    bias: FloatArray
    off: Matrix | None
    bias_off: FloatArray

    @property
    def terms(self) -> float:
        """Summands of any product with the weight on either side, and some more."""
        return sum(self.weight.shape) + 16.0

    def reordered(self, rows: np.ndarray | None, columns: np.ndarray | None) -> Map:
        """Rows and columns in another order; -1 stands for zeros."""
        weight, bias, off, bias_off = self.weight, self.bias, self.off, self.bias_off
        if rows is not None:
            weight, bias, bias_off = (_taken(part, rows) for part in (weight, bias, bias_off))
            off = None if off is None else _taken(off, rows)
        if columns is not None:
            weight = _taken(weight.T, columns).T
            off = None if off is None else _taken(off.T, columns).T
        return Map(weight, bias, off, bias_off)

    def minus(self, other: Map) -> Map:
        """The map of the differences; a float subtraction is off by at most u of its result."""
        weight, bias = self.weight - other.weight, self.bias - other.bias
        off = UNIT * abs(weight)
        for part in (self.off, other.off):
            off = off if part is None else off + part
        bias_off = UNIT * np.abs(bias) + self.bias_off + other.bias_off
        # Sums of a few numbers >= 0, each rounded once more.
        return Map(weight, bias, off * (1.0 + 2.0**-50), bias_off * (1.0 + 2.0**-50))


def _taken(array: FloatArray, order: np.ndarray) -> FloatArray:
    return np.concatenate([array, np.zeros((1, *array.shape[1:]))])[order]


@dataclass(frozen=True, eq=False)
class Affine:
    """A map of net, of target, or of both and of their difference."""

    net: Map | None
    target: Map | None
    change: Map | None


@dataclass(frozen=True)
class Kink:
    """z -> max(z, slope z), 0 <= slope < 1, in net, in target, or in both."""

    slope: float
    net: bool
    target: bool


@dataclass(frozen=True)
class Fork:
    """A residual block begins: the value is remembered."""

    net: bool
    target: bool


@dataclass(frozen=True)
class Join:
    """A residual block ends: what was remembered is added."""

    net: bool
    target: bool


PairStep = Affine | Kink | Fork | Join
_Flat = Map | float | str


def flat(steps: Sequence[Step]) -> Iterator[_Flat]:
    """The maps, slopes, FORKs and JOINs of a network in order."""
    for step in steps:
        if isinstance(step, AffineMap):
            off = step.bias_rounding
            none = np.zeros_like(step.bias)
            yield Map(step.matrix, step.bias, step.matrix_rounding, none if off is None else off)
        elif isinstance(step, Activate):
            yield step.slope
        elif isinstance(step, Skip):
            yield FORK
            yield from flat(step.body)
            yield JOIN
        else:
            raise TypeError(step)


def apart(net: DeepNetwork, target: DeepNetwork) -> tuple[PairStep, ...]:
    """First the steps of net, then those of target."""
    steps: list[PairStep] = []
    for network, is_net in ((net, True), (target, False)):
        for step in flat(network.steps):
            if isinstance(step, Map):
                steps.append(Affine(step if is_net else None, None if is_net else step, None))
            elif isinstance(step, float):
                steps.append(Kink(step, is_net, not is_net))
            else:
                steps.append((Fork if step == FORK else Join)(is_net, not is_net))
    return tuple(steps)


def together(
    net: DeepNetwork, target: DeepNetwork, orders: Sequence[tuple[np.ndarray, np.ndarray] | None]
) -> tuple[PairStep, ...]:
    """Both side by side.

    orders: for each map but the last, how its outputs are ordered in net and in target: every unit
    once, and -1 for a unit that is 0; None: as they are.

    Raises:
        InvalidInput: networks of different steps or sizes, or no such orders.
    """
    first, second = list(flat(net.steps)), list(flat(target.steps))
    alike = len(first) == len(second) and all(
        isinstance(other, Map) if isinstance(one, Map) else _same(one, other)
        for one, other in zip(first, second, strict=True)
    )
    _require(alike, "networks of other steps than each other")
    places = [place for place, step in enumerate(first) if isinstance(step, Map)]
    _require(len(orders) == max(0, len(places) - 1), "orders of another number of layers")
    columns: tuple[np.ndarray | None, np.ndarray | None] = None, None
    for place, order in zip(places, (*orders, None), strict=False):
        rows = (None, None) if order is None else order
        for steps, own_rows, own_columns in zip((first, second), rows, columns, strict=True):
            step = steps[place]
            assert isinstance(step, Map)
            if own_rows is None and own_columns is None:
                continue
            # Between two maps stand activations only, which act on each unit alone.
            plain = FORK not in first and not scipy.sparse.issparse(step.weight)
            _require(plain, "an order of units that are not those of plain layers")
            if own_rows is not None:
                units = np.sort(own_rows[own_rows != -1])
                _require(
                    np.array_equal(units, np.arange(len(step.bias))),
                    "an order of units in which some are missing or doubled",
                )
            steps[place] = step.reordered(own_rows, own_columns)
        columns = rows
    result: list[PairStep] = []
    for one, other in zip(first, second, strict=True):
        if isinstance(one, Map):
            assert isinstance(other, Map)
            _require(one.weight.shape == other.weight.shape, "layers of different sizes")
            result.append(Affine(one, other, one.minus(other)))
        elif isinstance(one, float):
            result.append(Kink(one, True, True))
        else:
            result.append((Fork if one == FORK else Join)(True, True))
    return tuple(result)


def _same(one: float | str, other: _Flat) -> bool:
    return not isinstance(other, Map) and one == other


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise InvalidInput(
            what, got="them", expected="steps side by side", fix="Write the proof again."
        )
