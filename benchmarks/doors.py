"""Public ONNX files through the door: `NETWORKS=FOLDER python -m benchmarks doors`.

Every .onnx file of FOLDER is read, and its values at 20 random points of the unit cube are held
against onnx's reference evaluator, which works in the file's float32; the inputs of every .vnnlib
file are read as boxes. This repository ships none of these files.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

import slth
from benchmarks.table import show
from slth.doors.vnnlib import read_boxes

_POINTS = 20


def main() -> None:
    """Print the tables."""
    folder = os.environ.get("NETWORKS")
    if folder is None:
        print("NETWORKS=FOLDER of .onnx and .vnnlib files is not set", file=sys.stderr)
        return
    files = sorted(Path(folder).glob("*.onnx"))
    headings = ("file", "read as", "set", "largest difference", "of values up to", "ms")
    show("ONNX files", headings, [_row(path) for path in files])
    specs = [_boxes(path) for path in sorted(Path(folder).glob("*.vnnlib"))]
    show("VNN-LIB files", ("file", "inputs", "boxes", "not used, about outputs"), specs)


def _row(path: Path) -> list[object]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    started = time.perf_counter()
    network = slth.DeepNetwork.of(slth.read_network(path))
    took = 1e3 * (time.perf_counter() - started)
    model = onnx.load(path)
    held = {tensor.name for tensor in model.graph.initializer}
    (given,) = [value for value in model.graph.input if value.name not in held]
    dims = [axis.dim_value or 1 for axis in given.type.tensor_type.shape.dim]
    run = ReferenceEvaluator(model).run
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (_POINTS, network.d)).astype(np.float32)
    values = np.stack([run(None, {given.name: x.reshape(dims)})[0].ravel() for x in points])
    apart = float(np.abs(network(points.astype(np.float64)) - values).max())
    size = float(np.abs(values).max())
    return [path.name, network.summary(), model.opset_import[0].version, apart, size, round(took)]


def _boxes(path: Path) -> list[object]:
    inputs = path.read_text().count("declare-const X_")
    said = read_boxes(path, inputs)
    return [path.name, inputs, len(said.boxes), len(said.unused)]


if __name__ == "__main__":
    main()
