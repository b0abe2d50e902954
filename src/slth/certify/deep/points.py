"""Points where two networks differ most: found by ascent in floats, then evaluated rigorously."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slth.certify.deep.bounds import output_change
from slth.certify.deep.forward import intervals
from slth.certify.deep.program import Add, Bend, Keep, Move, Program
from slth.certify.deep.region import Region
from slth.certify.problem.chart import Chart
from slth.layers import FloatArray
from slth.limits import Deadline

# Starts, and steps of each: a hundredth of what bounding one box costs.
_STARTS, _STEPS = 64, 40


@dataclass
class Incumbent:
    """The best point so far. lower: rigorous, max_i |net_i(x) - target_i(x)| >= lower."""

    program: Program
    domain: Region
    chart: Chart
    lower: float = 0.0
    witness: FloatArray | None = None

    def offer(self, points: FloatArray) -> None:
        """Take the best of some points [n, d] if it is better."""
        if not len(points):
            return
        points = self.domain.into(points)
        values = np.abs(outputs(self.program, points)).max(axis=1)
        best = int(np.argmax(values))
        # A float value this far below cannot become the larger one.
        if values[best] <= self.lower * (1.0 - 1e-9):
            return
        x = self.chart.inside(points[best])
        attained = attained_at(self.program, x)
        if attained > self.lower:
            self.lower, self.witness = attained, x


def attained_at(program: Program, x: FloatArray) -> float:
    """A rigorous lower bound of max_i |net_i(x) - target_i(x)|."""
    point = Region(x[None], x[None], None)
    low, high = output_change(intervals(program, point))
    return float(np.maximum(np.maximum(low, -high), 0.0).max())


def outputs(program: Program, points: FloatArray) -> FloatArray:
    """net - target in floats: [n, outputs] of [n, d]."""
    net, target, change = _forward(program, points)[0]
    return net - target if change is None else change


def values_at(program: Program, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """net and target in floats: [n, outputs] of [n, d]."""
    net, target, _ = _forward(program, points)[0]
    return net, target


_Floats = tuple[FloatArray, FloatArray, FloatArray | None]


def _forward(program: Program, points: FloatArray) -> tuple[_Floats, list[_Floats]]:
    """net, target and their difference (None if not paired) at the end, and before every
    operation."""
    net = target = points
    change = np.zeros_like(points) if program.paired else None
    kept: list[_Floats] = []
    before: list[_Floats] = []
    for operation in program.operations:
        before.append((net, target, change))
        match operation:
            case Move():
                if change is not None:
                    assert operation.change is not None
                    assert operation.target is not None
                    own = net @ operation.change.matrix.T + operation.change.bias
                    change = change @ operation.target.matrix.T + own
                if operation.net is not None:
                    net = net @ operation.net.matrix.T + operation.net.bias
                if operation.target is not None:
                    target = target @ operation.target.matrix.T + operation.target.bias
            case Bend():
                slope = operation.slope
                if change is not None:
                    other = net - change
                    bent = np.maximum(net, slope * net) - np.maximum(other, slope * other)
                    # Where both are on nothing is lost by subtracting.
                    change = np.where((net > 0.0) & (other > 0.0), change, bent)
                if operation.net:
                    net = np.maximum(net, slope * net)
                if operation.target:
                    target = np.maximum(target, slope * target)
            case Keep():
                kept.append((net, target, change))
            case Add():
                old = kept.pop()
                net = net + old[0] if operation.net else net
                target = target + old[1] if operation.target else target
                change = None if change is None or old[2] is None else change + old[2]
    return (net, target, change), before


def gradients(
    program: Program, points: FloatArray, net: FloatArray, target: FloatArray
) -> FloatArray:
    """The gradient of <net row, net> + <target row, target> at each point: float64 [n, d] of rows
    [n, outputs]."""
    _, before = _forward(program, points)
    waiting: list[tuple[FloatArray, FloatArray]] = []
    for operation, (z, other, _) in zip(
        reversed(program.operations), reversed(before), strict=True
    ):
        match operation:
            case Move():
                if operation.net is not None:
                    net = net @ operation.net.matrix
                if operation.target is not None:
                    target = target @ operation.target.matrix
            case Bend():
                if operation.net:
                    net = np.where(z > 0.0, net, operation.slope * net)
                if operation.target:
                    target = np.where(other > 0.0, target, operation.slope * target)
            case Add():
                waiting.append((net, target))
            case Keep():
                old = waiting.pop()
                net = net + old[0] if operation.net else net
                target = target + old[1] if operation.target else target
    return net + target


def climb(
    program: Program, domain: Region, generator: np.random.Generator, deadline: Deadline
) -> FloatArray:
    """Points of projected ascent on the largest |net_i - target_i|: float64 [n, d]."""
    low, high = domain.low[0], domain.high[0]
    random = generator.uniform(low, high, (_STARTS, len(low)))
    corners = np.where(generator.random((_STARTS // 2, len(low))) < 0.5, low, high)
    points = domain.into(np.concatenate([random, corners, domain.center]))
    best, values = points, np.full(len(points), -1.0)
    reach = domain.reach()[0]
    for step in range(_STEPS):
        if deadline.expired:
            break
        difference = outputs(program, points)
        chosen = np.abs(difference).argmax(axis=1)
        rows = np.zeros_like(difference)
        reached = difference[np.arange(len(points)), chosen]
        rows[np.arange(len(points)), chosen] = np.where(reached < 0.0, -1.0, 1.0)
        better = np.abs(reached) > values
        best = np.where(better[:, None], points, best)
        values = np.maximum(values, np.abs(reached))
        slope = gradients(program, points, rows, -rows)
        if domain.ball is None:
            move = np.sign(slope) * reach
        else:
            length = np.linalg.norm(slope, axis=1, keepdims=True)
            move = slope / np.maximum(length, 1e-300) * domain.ball.radius
        points = domain.into(points + move * 0.7**step)
    return best
