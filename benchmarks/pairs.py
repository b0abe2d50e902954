"""Two networks of files on boxes, certified: `PAIRS=FOLDER python -m benchmarks pairs`.

FOLDER holds the public pairs of NNEquiv, NeuroDiff and VeryDiff in ONNX, boxes.json
({"name": {"low": [...], "high": [...]}}) and their VNN-LIB files; this repository ships none of
them. Published times are those papers' own machines'.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import slth
from benchmarks.table import show
from slth.doors.vnnlib import read_boxes

ACAS = "ACASXU_run2a_1_1_batch_2000"

# (what, net, target, box, eps (None: labels), delta, seconds at most, published best in seconds)
ROWS = [
    ("small-top", "mnist8x8_student_36_10", "{}-mirror", "mnist8x8-9000-0.7", None, None, 60, 3.5),
    (
        "large-eps",
        "mnist8x8_100_80_60_40_20_10_eps1",
        "{}-mirror",
        "mnist8x8-9000-0.2",
        15.0,
        None,
        60,
        20,
    ),
    (
        "large-top",
        "mnist8x8_100_80_60_40_20_10",
        "{}-mirror",
        "mnist8x8-9200-0.3",
        None,
        None,
        60,
        26,
    ),
    ("ACAS retrain", f"{ACAS}-retrain", "{}-mirror", "acas-1", 0.05, None, 120, 1567),
    ("ACAS student", f"{ACAS}-student", "{}-mirror", "acas-1", 0.05, None, 120, 350),
    ("ACAS trunc", f"{ACAS}-trunc", "{}-mirror", "acas-1", 0.05, None, 60, None),
    ("ACAS trunc", f"{ACAS}-trunc", "{}-mirror", "acas-3", 0.01, None, 60, None),
    ("ACAS pruned", f"{ACAS}-trunc", f"{ACAS}_pruned5", "prop_1", 0.05, None, 60, 0.24),
    ("HAR", "HAR-trunc", "{}-mirror", "har-1000-0.1", 0.25, None, 60, None),
    ("MNIST trunc", "mnist_relu_3_100-trunc", "{}-mirror", "mnist784-400.01", 1.0, None, 60, None),
    (
        "MNIST pruned",
        "mnist_relu_3_100-trunc",
        "mnist_relu_3_100_pruned5",
        "mnist_0_local_15",
        1.0,
        None,
        120,
        None,
    ),
    *[
        ("LHC", "2_80-1", "2_80-1-0.1", "sigma_0.1", None, delta, 120, None)
        for delta in (0.8, 0.9, 0.95, 0.99, 0.999)
    ],
]


HEADINGS = ("pair", "question", "answer", "bounds", "wall s", "cpu s", "published s")


def main() -> None:
    """One row for each pair and question."""
    if "PAIRS" not in os.environ:
        print("pairs: set PAIRS to the folder of the public pairs", file=sys.stderr)
        return
    folder = Path(os.environ["PAIRS"])
    boxes = json.loads((folder / "boxes.json").read_text())
    table = []
    for what, first, second, box, eps, delta, limit, published in ROWS:
        net = slth.read_network(folder / f"{first}.onnx")
        target = slth.read_network(folder / f"{second.format(first)}.onnx")
        if box in boxes:
            domain = slth.Box(boxes[box]["low"], boxes[box]["high"])
        else:
            (domain,) = read_boxes(folder / f"{box}.vnnlib", net.d).boxes
        wall, cpu = time.perf_counter(), time.process_time()
        if eps is None:
            verdict = slth.agree(net, target, domain, delta=delta, time_limit=limit)
            status, bounds = str(verdict.status), f"{verdict.nodes} boxes"
        else:
            found = slth.certify(net, target, domain=domain, eps=eps, time_limit=limit)
            answer = "undecided"
            if found.status == "closed":
                answer = "holds" if found.upper <= eps else "disproven"
            status, bounds = answer, f"[{found.lower:.4g}, {found.upper:.4g}]"
        question = f"eps {eps:g}" if eps else f"labels, delta {delta}" if delta else "labels"
        row = (
            what,
            question,
            status,
            bounds,
            f"{time.perf_counter() - wall:.2f}",
            f"{time.process_time() - cpu:.2f}",
            published or "",
        )
        print(*row, file=sys.stderr, flush=True)
        table.append(row)
    show("Pairs of networks", HEADINGS, table)
