"""How far a trained network moves on a small box around an input: first bounds against CROWN's.

`python -m benchmarks.local_boxes`: sup |net - net(x)| over the box of radius r around an image of
the digits, 64-64-10, 64-256-10, and 784-128-10 on images blown up to 28 x 28; all outputs. Columns:
what `slth.certify` proves in 1 s; CROWN with the usual slopes and with slopes optimised for each
output and side (alpha-CROWN, 200 steps of Adam, in floats: no bounds, the yardstick); what an
attack attains. `LIMIT=60 python -m benchmarks.local_boxes`: both slth and HiGHS, a mixed-integer
program for each output and sign, for up to 60 s.
"""

from __future__ import annotations

import os
import time

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import slth
from benchmarks.table import show
from slth.network import FloatArray

_STEPS, _RATE = 200, 0.05
_RADII = (0.01, 0.05, 0.2)
_SECONDS = 1.0


def trained(side: int, width: int) -> tuple[slth.DeepNetwork, FloatArray]:
    """A network with one hidden layer on digits of side x side pixels in [0, 1], and an image."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16.0
    if side != 8:
        place = np.arange(side) * 8 // side
        images = images[:, place][:, :, place]
    flat = images.reshape(len(images), -1)
    model = MLPClassifier((width,), max_iter=60, random_state=0).fit(flat[:1400], labels[:1400])
    return slth.as_network(model).before_last(), flat[1500]  # type: ignore[union-attr]


def crown(net: slth.DeepNetwork, x: FloatArray, r: float, steps: int) -> float:
    """The largest bound of |net - net(x)| by one backward pass through the hidden layer, its lower
    slopes optimised in so many steps for each output and side; in floats."""
    first, second = net.items
    assert isinstance(first, slth.Dense)
    assert isinstance(second, slth.Dense)
    center = first.weight @ x + first.bias
    reach = r * np.abs(first.weight).sum(axis=1)
    low, high = center - reach, center + reach
    mixed = (low < 0.0) & (high > 0.0)
    rise = np.where(mixed, high / np.where(mixed, high - low, 1.0), high > 0.0)
    constant = np.where(mixed, -low * rise, 0.0)
    rows = np.concatenate([second.weight, -second.weight])
    shift = -rows @ np.maximum(center, 0.0)
    slope = np.tile(np.where(mixed, high > -low, rise), (len(rows), 1))
    moment, square = np.zeros_like(slope), np.zeros_like(slope)
    best = np.full(len(rows), np.inf)
    negative = np.minimum(rows, 0.0)
    for step in range(1, steps + 2):
        coefficients = np.maximum(rows, 0.0) * rise + negative * slope
        at_inputs = coefficients @ first.weight
        top = coefficients @ center + np.maximum(rows, 0.0) @ constant + shift
        top = top + r * np.abs(at_inputs).sum(axis=1)
        best = np.minimum(best, top)
        inner = center + r * np.sign(at_inputs) @ first.weight.T
        gradient = np.where(mixed, negative * inner, 0.0)
        moment = 0.9 * moment + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        move = moment / (1.0 - 0.9**step) / (np.sqrt(square / (1.0 - 0.999**step)) + 1e-12)
        slope = np.where(mixed, np.clip(slope - _RATE * move, 0.0, 1.0), slope)
    return float(best.max())


def highs(net: slth.DeepNetwork, x: FloatArray, r: float, seconds: float) -> tuple[float, bool]:
    """The largest |net - net(x)| that HiGHS finds on the box, output by output and sign by sign in
    its floats, and whether it closed all to 1e-6."""
    first, second = net.items
    assert isinstance(first, slth.Dense)
    assert isinstance(second, slth.Dense)
    center, began = first.weight @ x + first.bias, time.perf_counter()
    reach = r * np.abs(first.weight).sum(axis=1)
    low, high = center - reach, center + reach
    width, d = first.weight.shape
    best, closed = 0.0, True
    # Unknowns: x, the hidden values h, and whether each is on.
    one, none = np.eye(width), np.zeros((width, width))
    rows = np.block([
        [-first.weight, one, none],
        [-first.weight, one, np.diag(-np.minimum(low, 0.0))],
        [np.zeros((width, d)), one, np.diag(-np.maximum(high, 0.0))],
    ])  # fmt: skip
    least = np.concatenate([first.bias, np.full(2 * width, -np.inf)])
    most = np.concatenate([np.full(width, np.inf), first.bias - np.minimum(low, 0.0), 0.0 * low])
    bends = (low < 0.0) & (high > 0.0)
    on = (low >= 0.0).astype(float)
    ends = Bounds(
        np.concatenate([x - r, np.zeros(width), on]),
        np.concatenate([x + r, np.maximum(high, 0.0), np.where(bends, 1.0, on)]),
    )
    whole = np.concatenate([np.zeros(d + width), bends])
    for row in np.concatenate([second.weight, -second.weight]):
        shift = row @ np.maximum(center, 0.0)
        left = seconds - (time.perf_counter() - began)
        found = milp(
            -np.concatenate([np.zeros(d), row, np.zeros(width)]),
            constraints=[LinearConstraint(rows, least, most)],
            bounds=ends,
            integrality=whole,
            options={"time_limit": max(left, 0.01), "mip_rel_gap": 1e-6},
        )
        closed = closed and found.status == 0
        if found.x is not None:
            best = max(best, -found.fun - shift)
    return best, closed


def to_the_end(seconds: float) -> None:
    """slth and HiGHS side by side."""
    table = []
    for side, width in ((8, 64), (8, 256), (28, 128)):
        net, x = trained(side, width)
        constant = slth.DeepNetwork([slth.Dense(np.zeros((net.outputs, net.d)), net(x[None])[0])])
        slth.certify(net, constant, domain=slth.Box.around(x, 0.05), time_limit=_SECONDS)
        for r in _RADII:
            start = time.process_time()
            found = slth.certify(net, constant, domain=slth.Box.around(x, r), time_limit=seconds)
            own, start = time.process_time() - start, time.process_time()
            value, closed = highs(net, x, r, seconds)
            peer = time.process_time() - start
            table.append((
                f"{net.d}-{width}", str(r), f"{found.lower:.7g}", f"{found.upper:.7g}",
                found.status, f"{own:.2f}", f"{value:.7g}", str(closed), f"{peer:.2f}",
            ))  # fmt: skip
            print(*table[-1], flush=True)
    headings = ("network", "r", "lower", "upper", "", "cpu s", "HiGHS", "closed", "cpu s")
    show("Local boxes to the end", headings, table)


def main() -> None:
    """One row for each network and radius."""
    if "LIMIT" in os.environ:
        to_the_end(float(os.environ["LIMIT"]))
        return
    table = []
    for side, width in ((8, 64), (8, 256), (28, 128)):
        net, x = trained(side, width)
        constant = slth.DeepNetwork([slth.Dense(np.zeros((net.outputs, net.d)), net(x[None])[0])])
        slth.certify(net, constant, domain=slth.Box.around(x, 1e-3), time_limit=_SECONDS)
        for r in _RADII:
            start = time.perf_counter()
            box = slth.Box.around(x, r)
            found = slth.certify(net, constant, domain=box, time_limit=_SECONDS)
            wall = time.perf_counter() - start
            plain, optimised = crown(net, x, r, 0), crown(net, x, r, _STEPS)
            table.append(
                (
                    f"{net.d}-{width}",
                    str(r),
                    f"{found.upper:.4f}",
                    f"{wall:.2f}",
                    found.status,
                    f"{plain:.4f}",
                    f"{optimised:.4f}",
                    f"{found.upper / optimised:.3f}",
                    f"{found.lower:.4f}",
                )
            )
            print(*table[-1], flush=True)
    headings = ("network", "r", "upper in 1 s", "s", "", "CROWN", "alpha-CROWN", "ratio", "lower")
    show("Local boxes", headings, table)


if __name__ == "__main__":
    main()
