"""Certified enclosures against a million sampled errors on 1,000 random instances, d = 1..8."""

from __future__ import annotations

import time

import numpy as np

import slth
from benchmarks.table import show

_POINTS = 1_000_000
_INSTANCES = 1_000


def main(instances: int = _INSTANCES, points: int = _POINTS) -> None:
    """One row a dimension: instances, enclosures closed, violations (must be 0), seconds."""
    generator = np.random.default_rng(2026)
    rows = []
    for d in range(1, 9):
        count = instances // 8
        closed = violations = 0
        tightest = 0.0
        started = time.perf_counter()
        sphere = generator.standard_normal((points, d))
        sphere /= np.linalg.norm(sphere, axis=1)[:, None]
        for k in range(count):
            readout = ("linear", "relu")[k % 2]
            net = slth.random_network(d, int(generator.integers(1, 13)), k, readout)
            target = slth.neuron(generator.standard_normal(d), normalize=True)
            enclosure = slth.certify(net, target, time_limit=5.0)
            sampled = float(np.abs(net(sphere) - target(sphere)).max())
            closed += enclosure.status == "closed"
            # The sampled value is itself rounded: allow its own error, not more.
            violations += not (
                enclosure.lower <= enclosure.upper and sampled <= enclosure.upper * (1 + 1e-13)
            )
            tightest = max(tightest, sampled / enclosure.upper)
        rows.append((d, count, closed, violations, tightest, time.perf_counter() - started))
    headings = ("d", "instances", "closed", "violations", "largest sampled / upper", "seconds")
    show(f"certified upper bounds against {points:,} sampled errors each", headings, rows)


if __name__ == "__main__":
    main()
