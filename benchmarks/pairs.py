"""Two networks of files on boxes, certified.

`PAIRS=FOLDER python -m benchmarks.pairs [RUNS [WORD]]`.

FOLDER holds the public pairs of NNEquiv, NeuroDiff and VeryDiff in ONNX, boxes.json
({"name": {"low": [...], "high": [...]}}) and their VNN-LIB files; this repository ships none of
them. Published times are those papers' own machines'. Times are medians over RUNS (3) in a warm
process; WORD: only pairs whose name holds it.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import slth
from benchmarks.table import show
from slth.doors.vnnlib import read_boxes
from slth.network import ReLUNetwork

ACAS = "ACASXU_run2a_1_1_batch_2000"


@dataclass(frozen=True)
class Row:
    """A question about two files on a box.

    Attributes:
        eps: None: labels.
        delta: of labels.
        limit: seconds at most.
        published: the best published seconds, if there are any.
    """

    what: str
    net: str
    target: str
    box: str
    eps: float | None
    limit: float
    published: float | None = None
    delta: float | None = None

    @property
    def question(self) -> str:
        """In words."""
        if self.eps is not None:
            return f"eps {self.eps:g}"
        return "labels" if self.delta is None else f"labels, delta {self.delta}"


_WIDE = "mnist8x8_100_80_60_40_20_10"
_MNIST = "mnist_relu_3_100"
ROWS = [
    Row(
        "small-top",
        "mnist8x8_student_36_10",
        "mnist8x8_student_36_10-mirror",
        "mnist8x8-9000-0.7",
        None,
        60,
        3.5,
    ),
    Row("large-eps", f"{_WIDE}_eps1", f"{_WIDE}_eps1-mirror", "mnist8x8-9000-0.2", 15.0, 60, 20),
    Row("large-top", _WIDE, f"{_WIDE}-mirror", "mnist8x8-9200-0.3", None, 60, 26),
    Row("ACAS retrain", f"{ACAS}-retrain", f"{ACAS}-retrain-mirror", "acas-1", 0.05, 120, 1567),
    Row("ACAS student", f"{ACAS}-student", f"{ACAS}-student-mirror", "acas-1", 0.05, 120, 350),
    Row("ACAS trunc", f"{ACAS}-trunc", f"{ACAS}-trunc-mirror", "acas-1", 0.05, 60),
    Row("ACAS trunc", f"{ACAS}-trunc", f"{ACAS}-trunc-mirror", "acas-3", 0.01, 60),
    Row("ACAS pruned", f"{ACAS}-trunc", f"{ACAS}_pruned5", "prop_1", 0.05, 60, 0.24),
    Row("HAR", "HAR-trunc", "HAR-trunc-mirror", "har-1000-0.1", 0.25, 60),
    Row("MNIST trunc", f"{_MNIST}-trunc", f"{_MNIST}-trunc-mirror", "mnist784-400.01", 1.0, 60),
    Row("MNIST pruned", f"{_MNIST}-trunc", f"{_MNIST}_pruned5", "mnist_0_local_15", 1.0, 120),
    *[
        Row("LHC", "2_80-1", "2_80-1-0.1", "sigma_0.1", None, 120, None, delta)
        for delta in (0.8, 0.9, 0.95, 0.99, 0.999)
    ],
]
# Those of which a proof is expected: the others are false or open.
LIMITED = [
    row for row in ROWS if row.what != "MNIST pruned" and not (row.delta and row.delta < 0.999)
]

Network = ReLUNetwork | slth.DeepNetwork


def open_pair(row: Row) -> tuple[Network, Network, slth.Box]:
    """The networks of a row, and its box."""
    folder = Path(os.environ["PAIRS"])
    boxes = json.loads((folder / "boxes.json").read_text())
    net, target = (slth.read_network(folder / f"{name}.onnx") for name in (row.net, row.target))
    if row.box in boxes:
        return net, target, slth.Box(boxes[row.box]["low"], boxes[row.box]["high"])
    (domain,) = read_boxes(folder / f"{row.box}.vnnlib", net.d).boxes
    return net, target, domain


HEADINGS = ("pair", "question", "answer", "bounds", "wall s", "cpu s", "published s")


def answered(row: Row, pair: tuple[Network, Network, slth.Box]) -> tuple[str, str]:
    """The answer and what was proven."""
    net, target, domain = pair
    if row.eps is None:
        verdict = slth.agree(net, target, domain, delta=row.delta, time_limit=row.limit)
        return str(verdict.status), f"{verdict.nodes} boxes"
    found = slth.certify(net, target, domain=domain, eps=row.eps, time_limit=row.limit)
    answer = "undecided"
    if found.status == "closed":
        answer = "holds" if found.upper <= row.eps else "disproven"
    return answer, f"[{found.lower:.4g}, {found.upper:.4g}]"


def main(runs: str = "3", word: str = "") -> None:
    """One row for each pair and question."""
    if "PAIRS" not in os.environ:
        print("pairs: set PAIRS to the folder of the public pairs", file=sys.stderr)
        return
    table = []
    for row in ROWS:
        if word not in row.what:
            continue
        pair = open_pair(row)
        walls, cpus, answers = [], [], []
        # The first run compiles.
        for _ in range(int(runs) + 1):
            wall, cpu = time.perf_counter(), time.process_time()
            answers.append(answered(row, pair))
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
            # What the limit ends is not repeated.
            if len(walls) > 1 and walls[-1] > 0.5 * row.limit:
                break
        cells = (
            row.what,
            row.question,
            *answers[-1],
            f"{statistics.median(walls[1:]):.2f}",
            f"{statistics.median(cpus[1:]):.2f}",
            row.published or "",
        )
        print(*cells, file=sys.stderr, flush=True)
        table.append(cells)
    show("Pairs of networks", HEADINGS, table)


if __name__ == "__main__":
    main(*sys.argv[1:3])
