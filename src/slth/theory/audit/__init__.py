"""The audit: every step of the paper's proof computed, with its verdict and by how much.

`audit()` runs them all in well under a minute; each is a function that returns an AuditLine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slth.errors import require_count
from slth.theory.audit.bins import (
    families_law,
    lemma_1,
    lemma_2,
    lemma_6_constant,
    lemma_6_unbroken,
    one_step,
    start_state,
)
from slth.theory.audit.line import AuditLine, Finding
from slth.theory.audit.processes import (
    birth_death_coupling,
    breaking_probability,
    capped_below_original,
    lemma_5,
    lemma_7,
)
from slth.theory.audit.theorem import (
    lemma_3,
    lemma_8_by_chance,
    lemma_8_one_unit,
    lemma_9,
    lemma_10,
    readout,
    theorem_1_large_eps,
    theorem_1_small_eps,
    version_3,
)

STEPS: tuple[Callable[[np.random.Generator], AuditLine], ...] = (
    readout,
    families_law,
    one_step,
    start_state,
    lemma_1,
    lemma_2,
    lemma_6_constant,
    lemma_6_unbroken,
    capped_below_original,
    birth_death_coupling,
    lemma_5,
    breaking_probability,
    lemma_7,
    lemma_3,
    lemma_8_one_unit,
    lemma_8_by_chance,
    lemma_9,
    theorem_1_small_eps,
    theorem_1_large_eps,
    lemma_10,
    version_3,
)


def audit(*, seed: int = 0, report: Callable[[str], None] | None = None) -> tuple[AuditLine, ...]:
    """Run every step. Each has its own generator, derived from the seed and the step's name.

    Args:
        seed: >= 0.
        report: called with the name of each step before it runs.
    """
    seed = require_count("seed", seed, least=0)
    lines = []
    for step in STEPS:
        if report is not None:
            report(step.__name__)
        key = tuple(step.__name__.encode())
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        lines.append(step(rng))
    return tuple(lines)


__all__ = ["STEPS", "AuditLine", "Finding", "audit"]
