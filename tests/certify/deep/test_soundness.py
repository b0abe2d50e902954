"""A small campaign of benchmarks/soundness_deep: no false answer on adversarial pairs."""

import numpy as np
import pytest

from benchmarks.soundness_deep import KINDS, wrong


@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_is_false(kind):
    for seed in range(6):
        instance = KINDS[kind](np.random.default_rng([3, seed]))
        assert wrong(instance, seconds=0.02) == []


def test_planted_labels_differ_for_certain():
    instances = [KINDS["label"](np.random.default_rng([3, seed])) for seed in range(20)]
    assert sum(instance.differ for instance in instances) >= 18
