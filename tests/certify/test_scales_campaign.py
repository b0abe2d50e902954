"""The campaign of benchmarks/scales.py on a few fixed instances."""

import numpy as np
import pytest

from benchmarks.scales import wrong


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(4))
def test_no_claim_is_wrong_at_any_scale(seed, counted_time):
    for trial in range(10):
        assert list(wrong(np.random.default_rng([7, seed, trial]))) == []
