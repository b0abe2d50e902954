"""Thousands of mutated ticket files: none verifies what is false, none breaks the reader."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tests.fuzz_tickets import corpus, judge, make, written


def test_mutations_are_refused_or_still_true(tmp_path):
    rng = np.random.default_rng(2026)
    files = [(ticket, written(ticket, tmp_path)) for ticket in corpus()]
    seen = Counter()
    for trial in range(1000):
        ticket, data = files[trial % len(files)]
        level, changed = make(rng, ticket, data)
        seen[level, judge(tmp_path / "mutated.ticket", changed)] += 1
    outcomes = Counter(outcome for _, outcome in seen.elements())
    assert outcomes["unreadable"] > 150
    assert outcomes["refused"] > 50
    assert outcomes["verified"] > 25
    assert set(outcomes) <= {"unreadable", "refused", "not covered", "verified"}
