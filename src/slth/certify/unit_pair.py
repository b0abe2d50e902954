"""A pair of networks without biases as an equal problem at ordinary scale, on the unit ball.

Both networks are positively homogeneous in each layer: every unit's incoming weights are divided by
a power of two and its output weight multiplied by it, then all output weights divided by one more,
so that the largest numbers are near 1. Units that stand in both networks cancel. What the engines
find comes back to the ball asked for in `UnitPair.at`, which decides the status on the numbers that
a user reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from slth.certify.problem.cheap import noise_of
from slth.certify.values import difference
from slth.network import BoolArray, FloatArray, ReLUNetwork
from slth.rounding.outward import TINY
from slth.rounding.scaling import near_in_radius, scaled_down, scaled_up
from slth.solution import Enclosure, Status

# Weights between these need no scaling: products of them, and what underflows beside them, are far
# from what the engines charge for underflow.
_LEAST, _MOST = 2.0**-200, 2.0**200
# Thresholds beyond these are decided by the cheapest bounds of networks at ordinary scale.
_LEAST_EPS, _MOST_EPS = 2.0**-900, 2.0**900


@dataclass(frozen=True)
class UnitPair:
    """net - target of some networks is 2^exponent times that of these, on the unit ball.

    Attributes:
        net, target: at ordinary scale, without the units that stand in both.
        exponent: an integer.
        lost: what underflowed in scaling changes net - target by at most this on the unit ball.
    """

    net: ReLUNetwork
    target: ReLUNetwork
    exponent: int
    lost: float = 0.0

    @classmethod
    def of(cls, net: ReLUNetwork, target: ReLUNetwork) -> UnitPair:
        """The pair of two networks of the same d."""
        # Cancelling comes first: it is exact.
        pair = cls(net, target, 0)._cancelled()
        return pair if is_ordinary(pair.net, pair.target) else pair._scaled()

    @property
    def mass(self) -> float:
        """sum |output| ||hidden||_1: what rounding errors are measured against."""
        return float(sum(np.abs(one.output) @ np.abs(one.hidden).sum(axis=1) for one in self._both))

    @property
    def noise(self) -> float:
        """An upper bound this small is rounding, not error; 0 where nothing is left to round."""
        mass = self.mass
        return noise_of(mass, self.net.width + self.target.width) if mass else 0.0

    def unit_eps(self, eps: float | None, radius: float) -> float | None:
        """The threshold on the unit ball; None where nothing is to be decided."""
        return None if eps is None else unit_threshold(eps, radius, self.exponent)

    def at(self, found: Enclosure, radius: float, rtol: float, eps: float | None) -> Enclosure:
        """The enclosure for the networks that this pair stands for, over the ball of that radius.

        found: of this pair, over the unit ball.
        """
        if self.lost:
            lower = max(0.0, np.nextafter(found.lower - self.lost, -np.inf))
            upper = np.nextafter(found.upper + self.lost, np.inf)
            found = replace(found, lower=lower, upper=upper)
        return self._over(found, self.exponent, radius, rtol, eps)

    def over(self, error: Enclosure, radius: float, rtol: float, eps: float | None) -> Enclosure:
        """The same from an enclosure for those networks themselves, over the unit ball."""
        return self._over(error, 0, radius, rtol, eps)

    def _over(
        self, error: Enclosure, exponent: int, radius: float, rtol: float, eps: float | None
    ) -> Enclosure:
        """A scaled witness is rounded, and where the networks cancel it can miss the scaled lower
        bound: it is measured again."""
        upper = float(scaled_up(error.upper, radius, exponent))
        lower, witness = float(scaled_down(error.lower, radius, exponent)), error.witness
        if witness is not None and radius != 1.0:
            lower, witness = self._measured(witness, radius)
        noise = float(scaled_down(self.noise, radius, self.exponent))
        closed = is_closed(lower, upper, rtol, noise, eps)
        status = Status.CLOSED if closed else Status.OPEN
        return Enclosure(lower, upper, witness if lower > 0.0 else None, status, error.method)

    @property
    def _both(self) -> tuple[ReLUNetwork, ReLUNetwork]:
        return self.net, self.target

    def _measured(self, witness: FloatArray, radius: float) -> tuple[float, FloatArray | None]:
        """The largest proven distance at points of that ball near the scaled witness."""
        best, where = 0.0, None
        # Values at x / 2^shift are those at x divided by it, and x / 2^shift is exact.
        shift = int(np.frexp(radius)[1])
        for point in near_in_radius(witness, radius):
            attained, _ = difference(*self._both, np.ldexp(point, -shift))
            lower = float(scaled_down(attained, 1.0, self.exponent + shift))
            if where is None or lower > best:
                best, where = lower, point
        return best, where

    def _scaled(self) -> UnitPair:
        rows, outputs = [], []
        for one in self._both:
            row, output = _unit_rows(one)
            rows.append(row)
            outputs.append(output)
        # Outputs are pairs (significand, power of two): their product may be no float.
        powers = [power[part != 0.0] for part, power in outputs]
        highest = max((int(power.max()) for power in powers if power.size), default=0)
        networks, kept = [], True
        for row, (part, power), one in zip(rows, outputs, self._both, strict=True):
            output = _ldexp(part, power - highest)
            kept = kept and bool((_ldexp(output, highest - power) == part).all())
            kept = kept and _lies_within(one.hidden, row)
            networks.append(ReLUNetwork(row, output, one.readout))
        # Beside outputs below 1 and rows below 2, what is lost is below 2^-1073 an entry: TINY is
        # more than all of them.
        lost = 0.0 if kept else TINY
        return UnitPair(networks[0], networks[1], self.exponent + highest, lost)

    def _cancelled(self) -> UnitPair:
        """Without the units of equal weights in both networks, where the readouts let them go."""
        net, target = (_plain(one) for one in self._both)
        if not (net.width and target.width and net.readout == target.readout):
            return replace(self, net=net, target=target)
        left_net, left_target = _apart(net, target)
        alike = not (left_net or left_target)
        # max(., 0) lets single units go only if all do.
        if len(left_net) == net.width or (net.readout == "relu" and not alike):
            return replace(self, net=net, target=target)
        return replace(
            self,
            net=ReLUNetwork(net.hidden[left_net], net.output[left_net], net.readout),
            target=ReLUNetwork(
                target.hidden[left_target], target.output[left_target], target.readout
            ),
        )


def unit_threshold(eps: float, radius: float, exponent: int = 0) -> float:
    """eps / radius / 2^exponent, rounded: where to stop. Decisions are made on scaled bounds."""
    quotient = Fraction(eps) / Fraction(radius) / Fraction(2) ** exponent
    return float(min(max(quotient, Fraction(_LEAST_EPS)), Fraction(_MOST_EPS)))


def is_closed(lower: float, upper: float, rtol: float, noise: float, eps: float | None) -> bool:
    """Whether these bounds, as a user reads them, answer the question."""
    if upper <= noise or (eps is not None and (upper <= eps or lower > eps)):
        return True
    # In floats, as a user would look, and over the reals.
    return upper - lower <= rtol * upper < np.inf and (
        Fraction(upper) - Fraction(lower) <= Fraction(rtol) * Fraction(upper)
    )


def are_closed(
    lower: FloatArray, upper: FloatArray, rtol: float, noise: FloatArray, eps: float | None
) -> BoolArray:
    """`is_closed` for arrays; rationals are compared only where rounding could decide."""
    gap, allowed = upper - lower, rtol * upper
    # Both are off by at most 2^-53 of themselves, where they are normal numbers.
    closed = (gap <= allowed * (1.0 - 2.0**-50)) & (allowed > _LEAST_EPS) & (upper < np.inf)
    for k in np.flatnonzero(~closed).tolist():
        closed[k] = is_closed(float(lower[k]), float(upper[k]), rtol, float(noise[k]), eps)
    return closed


def is_ordinary(net: ReLUNetwork, target: ReLUNetwork) -> bool:
    """Whether products of these weights neither over- nor underflow to speak of."""
    return all(
        _within(np.abs(one.output)) and _within(np.abs(one.hidden).max(axis=1, initial=0.0))
        for one in (net, target)
    )


def _within(sizes: FloatArray) -> bool:
    return bool(((sizes == 0.0) | ((sizes >= _LEAST) & (sizes <= _MOST))).all())


def _plain(network: ReLUNetwork) -> ReLUNetwork:
    """A ReLU of a sum without negative terms is that sum."""
    if network.readout == "linear" or (network.output < 0.0).any():
        return network
    return ReLUNetwork(network.hidden, network.output, "linear")


def _unit_rows(network: ReLUNetwork) -> tuple[FloatArray, tuple[FloatArray, np.ndarray]]:
    """Rows with largest entries in [1, 2), and the output weights as significands and powers."""
    exponents, parts, powers = _weights(network)
    return _ldexp(network.hidden, -exponents[:, None]), (parts, powers)


def _lies_within(hidden: FloatArray, rows: FloatArray) -> bool:
    """Whether no entry underflowed on the way from one to the other."""
    return bool((np.frexp(hidden)[0] == np.frexp(rows)[0]).all())


def _weights(network: ReLUNetwork) -> tuple[np.ndarray, FloatArray, np.ndarray]:
    """Each row's power of two, and the output weights times it as significands and powers."""
    largest = np.abs(network.hidden).max(axis=1, initial=0.0)
    exponents = np.where(largest > 0.0, np.frexp(largest)[1] - 1, 0)
    parts, powers = np.frexp(np.where(largest > 0.0, network.output, 0.0))
    return exponents, parts, powers + exponents


def _ldexp(values: FloatArray, powers: np.ndarray) -> FloatArray:
    with np.errstate(under="ignore"):
        return np.ldexp(values, powers)


def _apart(net: ReLUNetwork, target: ReLUNetwork) -> tuple[list[int], list[int]]:
    """The units of each that the other has not: equal directions, equal products."""
    sides = []
    weights = [_weights(one) for one in (net, target)]
    for one, (exponents, parts, powers), (_, others, _) in zip(
        (net, target), weights, reversed(weights), strict=True
    ):
        # Equal products have equal significands: few rows need a longer look.
        maybe = np.flatnonzero(np.isin(parts, others))
        entries, sizes = np.frexp(one.hidden[maybe])
        sizes = np.where(entries == 0.0, 0, sizes - exponents[maybe, None])
        # Adding 0.0 makes -0.0 and 0.0 one.
        table = np.column_stack([entries, sizes, parts[maybe], powers[maybe]]) + 0.0
        sides.append({int(k): row.tobytes() for k, row in zip(maybe, table, strict=True)})
    of_net, of_target = sides
    waiting: dict[bytes, list[int]] = {}
    for k, key in of_target.items():
        waiting.setdefault(key, []).append(k)
    gone: tuple[set[int], set[int]] = set(), set()
    for k, key in of_net.items():
        if waiting.get(key):
            gone[0].add(k)
            gone[1].add(waiting[key].pop())
    return tuple(  # type: ignore[return-value]
        [k for k in range(one.width) if k not in out]
        for one, out in zip((net, target), gone, strict=True)
    )
