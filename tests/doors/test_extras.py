"""Installed without extras: every door names the library that it needs before anything is done, and
the line that is named installs what the package's extra asks for."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import slth

EXTRAS = {
    "onnx": "onnx", "safetensors": "safetensors", "torch": "torch", "scikit-learn": "sklearn",
}  # fmt: skip
# What a command is asked for, and the library that is named for it.
COMMANDS = {
    "certify b.onnx a.npz --ball 1": "onnx",
    "agree a.npz b.safetensors --ball 1": "safetensors",
    "certify b.pt a.npz --layers 2,2 --ball 1": "torch",
    "compress a.npz --ball 1 --eps 0.1 -o o.onnx": "onnx",
    "compress a.npz --ball 1 --eps 0.1 -o o.safetensors": "safetensors",
    "embed a.npz --module o.onnx --eps 0.1 -o o.slt": "onnx",
    "embed b.onnx -o o.slt --eps 0.1": "onnx",
    "prune neurons --d 2 --width 20 --out o.onnx": "onnx",
    "prune neurons --net b.safetensors": "safetensors",
}
CODE = f"""
import sys
for library in ("onnx", "safetensors", "torch", "sklearn"):
    sys.modules[library] = None
import slth
from slth.cli import run
for command in {list(COMMANDS)!r}:
    print(run(command.split()), flush=True)
"""


def test_every_command_says_what_is_missing_before_anything_is_done(tmp_path):
    slth.write_network(slth.DeepNetwork([slth.Dense(np.eye(2))] * 2), tmp_path / "a.npz")
    for name in ("b.onnx", "b.safetensors", "b.pt"):
        (tmp_path / name).write_bytes(b"x")
    before = sorted(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    said = [line for line in done.stderr.splitlines() if line.startswith("slth: ")]
    assert done.stdout.split() == ["2"] * len(COMMANDS)
    for line, library in zip(said, COMMANDS.values(), strict=True):
        assert f"needs {library}, which is not installed" in line
        assert f"pip install {library} (slth[{EXTRAS[library]}] asks for it)" in line
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("library", "extra"), EXTRAS.items())
def test_the_extra_that_is_named_asks_for_the_library(library, extra):
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    (wanted,) = project["project"]["optional-dependencies"][extra]
    assert wanted.startswith(f"{library}>=")
