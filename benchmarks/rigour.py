"""What rigour costs the search over cones: its check pass, done once and done again.

`python -m benchmarks rigour`. Each cone's bound is found by untrusted arithmetic and then computed
again from the multipliers alone, with error terms. The same search is run with that pass (and its
like, the bound at the chords' slopes) doubled: the difference is at least the price of checking.
The nodes are the same, so a search without the check would at best be quicker by that much. CPU
seconds to rtol 1e-6, medians of three.
"""

from __future__ import annotations

import statistics
import sys
import time
from types import FunctionType

import numpy as np
from numba import njit

import slth
from benchmarks.certify import gauss, prune
from benchmarks.table import show
from slth.certify.cones.bound import _excess, bound_cone
from slth.certify.cones.explore import explore_cones

_CELLS = [(100, 4), (100, 5)]


@njit(nogil=True, error_model="numpy")
def _twice(falling, falling_weights, index, tau, share, PV, linN, V, n, at):
    again = _excess(
        falling, falling_weights, index, tau, share, PV, linN, V, np.empty_like(n), np.empty_like(n)
    )
    return max(again, _excess(falling, falling_weights, index, tau, share, PV, linN, V, n, at))


def _rebuilt(kernel, **names):
    """The kernel with other functions under those names."""
    function = kernel.py_func
    return njit(nogil=True, error_model="numpy")(
        FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)
    )


def _seconds(weights: np.ndarray, hidden: np.ndarray) -> tuple[float, slth.Enclosure]:
    net = slth.ReLUNetwork(hidden[:-1], weights[:-1])
    target = slth.ReLUNetwork(hidden[-1:], -weights[-1:])
    started = time.process_time()
    enclosure = slth.certify(net, target, time_limit=None)
    return time.process_time() - started, enclosure


def main() -> None:
    """One row an instance."""
    cones = sys.modules["slth.certify.cones.engine"]
    engines = {
        "once": explore_cones,
        "twice": _rebuilt(explore_cones, bound_cone=_rebuilt(bound_cone, _excess=_twice)),
    }
    rows = []
    for family in (gauss, prune):
        for width, d in _CELLS:
            weights, hidden = family(width, d)
            spent: dict[str, list[float]] = {name: [] for name in engines}
            enclosures = []
            for repeat in range(3):
                for name, engine in engines.items():
                    cones.explore_cones = engine  # pyright: ignore[reportAttributeAccessIssue]
                    seconds, enclosure = _seconds(weights, hidden)
                    if repeat:
                        spent[name].append(seconds)
                        enclosures.append(enclosure.upper)
            cones.explore_cones = explore_cones  # pyright: ignore[reportAttributeAccessIssue]
            once, twice = (statistics.median(spent[name]) for name in engines)
            same = len(set(enclosures)) == 1
            rows.append((family.__name__, d, width, once, twice, once / (2 * once - twice), same))
    headings = ("family", "d", "M", "checked once", "twice", "cost of rigour", "same bound")
    show("the check pass of the search over cones, CPU seconds", headings, rows)


if __name__ == "__main__":
    main()
