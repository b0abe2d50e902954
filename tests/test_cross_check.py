"""Certificates, proofs and bounds of random tiny instances against an oracle of its own."""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.cross_check import instance, judged


def test_enclosures_and_bounds_hold_exactly():
    rng = np.random.default_rng(7)
    checks = Counter()
    for trial in range(60):
        net, target, radius = instance(rng)
        for name, right in judged(trial, net, target, radius):
            assert right, (trial, name)
            checks[name] += 1
    assert len(checks) == 6
    assert checks["certified enclosure"] == 60
