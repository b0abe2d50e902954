"""Where kernels are kept, and compiling them ahead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import slth
from slth import compiling
from slth.cli import run
from slth.warmup import PARTS, warm_up

# Nobody can make a folder there, not even root.
NOWHERE = "/proc/nowhere"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder that root cannot write")
def test_a_process_without_any_place_for_kernels_has_one_of_its_own():
    code = (
        "import slth, numpy as np\n"
        "from slth import compiling\n"
        "print(compiling.passing)\n"
        "net = slth.ReLUNetwork(np.eye(2), np.ones(2))\n"
        "print(slth.certify(net, slth.neuron([1.0, 0.0])).upper)\n"
    )
    env = {**os.environ, "NUMBA_CACHE_DIR": NOWHERE}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    folder, upper = done.stdout.split()
    assert "slth-kernels-" in folder
    assert float(upper) == pytest.approx(1.0, abs=1e-9)
    assert not Path(folder).exists()


def test_a_place_that_can_be_written_is_taken(tmp_path):
    assert compiling.keep_somewhere([Path(NOWHERE), tmp_path / "made"]) is None
    assert (tmp_path / "made").is_dir()


def test_what_was_warmed_up_is_not_compiled_again():
    tuple(warm_up())
    assert [warmed for warmed in warm_up() if warmed.compiled] == []


def test_warming_up_by_name(capsys):
    assert run(["warmup", "embeddings", "--json"]) == 0
    assert '"embeddings"' in capsys.readouterr().out
    with pytest.raises(slth.InvalidInput, match="unknown part"):
        warm_up("engines")
    assert "certifier" in PARTS
