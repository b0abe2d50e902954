"""Other programs on the certifier's problem: sup |sum_i c_i relu(<w_i, x>)| over the unit l2 ball.

- SCIP, Gurobi: a mixed-integer model with the ball as a quadratic constraint. Gurobi's packaged
  licence ends at 2,000 variables (200 beside a quadratic constraint); beyond it there is no answer.
- HiGHS: the same over a polytope around the ball; tangents of the sphere are added where its
  optima lie outside, first for the linear relaxation, then between mixed-integer solves with the
  binaries held.
- CROWN, alpha-CROWN: auto_LiRPA's root bounds under an l2 perturbation of 0 (no branching).
- alpha-beta-CROWN: its branch-and-bound over the units' signs; asked to prove one threshold after
  another, each nearer to the best value that a subgradient ascent reached.

The mixed-integer models hold the tight constants |<w_i, x>| <= |w_i|, binaries for the units that
are convex in the objective only, one model for each sign, the second one cut off at the first
one's best value. All bounds here are floats within the solvers' tolerances: references, not
proofs. One thread each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from slth.network import FloatArray

_GAP = 1e-6
_OUTSIDE = 1e-8
_ROUNDS = 40
_INTERPRETER = "PEER_PYTHON"

# (weights [M], hidden [M, d], seconds, best known) -> (value reached, upper bound), one sign
OneSided = Callable[[FloatArray, FloatArray, float, float], tuple[float, float]]


class OutOfReach(Exception):
    """The peer's licence does not cover the instance."""


def value(weights: FloatArray, hidden: FloatArray, x: FloatArray) -> float:
    """The sum at x moved into the ball."""
    inside = x / max(1.0, float(np.linalg.norm(x)))
    return float(weights @ np.maximum(hidden @ inside, 0.0))


def both_signs(
    solver: OneSided, weights: FloatArray, hidden: FloatArray, seconds: float
) -> tuple[float, float]:
    """(value reached, upper bound) of the sup of the sum's magnitude; the likelier sign first."""
    points = np.random.default_rng(0).standard_normal((2000, hidden.shape[1]))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    sampled = np.maximum(points @ hidden.T, 0.0) @ weights
    first = 1.0 if sampled.max() >= -sampled.min() else -1.0
    started = time.perf_counter()
    best = upper = 0.0
    for sign, share in ((first, 0.5), (-first, 1.0)):
        left = seconds - (time.perf_counter() - started)
        reached, bound = solver(sign * weights, hidden, max(0.1, share * left), best)
        best, upper = max(best, reached), max(upper, bound)
    return best, upper


def scip(
    weights: FloatArray, hidden: FloatArray, seconds: float, cutoff: float
) -> tuple[float, float]:
    """SCIP's spatial branch-and-cut."""
    from pyscipopt import Model, quicksum

    model = Model()
    model.hideOutput()
    model.setParam("limits/time", seconds)
    model.setParam("limits/gap", _GAP)
    model.setParam("parallel/maxnthreads", 1)
    x = [model.addVar(lb=-1.0, ub=1.0) for _ in range(hidden.shape[1])]
    model.addCons(quicksum(v * v for v in x) <= 1.0)
    terms = []
    for c, w in zip(weights, hidden, strict=True):
        size = float(np.linalg.norm(w))
        t = quicksum(float(a) * v for a, v in zip(w, x, strict=True))
        y = model.addVar(lb=0.0, ub=size)
        model.addCons(y >= t)
        if c > 0.0:
            on = model.addVar(vtype="B")
            model.addCons(y <= t + size * (1.0 - on))
            model.addCons(y <= size * on)
        terms.append(float(c) * y)
    model.setObjective(quicksum(terms), "maximize")
    if cutoff > 0.0:
        model.setObjlimit(cutoff)
    model.optimize()
    if model.getStatus() == "infeasible":
        return 0.0, cutoff
    reached = 0.0
    if model.getNSols() > 0:
        best = model.getBestSol()
        reached = value(weights, hidden, np.array([best[v] for v in x]))
    trivial = float(np.maximum(weights, 0.0) @ np.linalg.norm(hidden, axis=1))
    return reached, min(trivial, max(cutoff, float(model.getDualbound())))


def gurobi(
    weights: FloatArray, hidden: FloatArray, seconds: float, cutoff: float
) -> tuple[float, float]:
    """Gurobi's branch-and-cut on the model that `scip` has; `OutOfReach` beyond its licence."""
    import gurobipy  # pyright: ignore[reportMissingImports]

    settings = {"OutputFlag": 0, "TimeLimit": seconds, "MIPGap": _GAP, "Threads": 1}
    try:
        with gurobipy.Env(params=settings) as env, gurobipy.Model(env=env) as model:
            norms = np.linalg.norm(hidden, axis=1)
            convex = np.flatnonzero(weights > 0.0)
            x = model.addMVar(hidden.shape[1], lb=-1.0, ub=1.0)
            y = model.addMVar(len(weights), ub=norms)
            on = model.addMVar(len(convex), vtype="B")
            model.addConstr(x @ x <= 1.0)
            model.addConstr(y >= hidden @ x)
            model.addConstr(y[convex] <= hidden[convex] @ x + norms[convex] * (1.0 - on))
            model.addConstr(y[convex] <= norms[convex] * on)
            model.setObjective(weights @ y, gurobipy.GRB.MAXIMIZE)
            if cutoff > 0.0:
                model.Params.Cutoff = cutoff
            model.optimize()
            if model.Status in (gurobipy.GRB.CUTOFF, gurobipy.GRB.INFEASIBLE):
                return 0.0, cutoff
            reached = value(weights, hidden, x.X) if model.SolCount > 0 else 0.0
            trivial = float(weights[convex] @ norms[convex])
            return reached, min(trivial, max(cutoff, float(model.ObjBound)))
    except gurobipy.GurobiError as error:
        licence = gurobipy.GRB.Error.SIZE_LIMIT_EXCEEDED, gurobipy.GRB.Error.NO_LICENSE
        if error.errno in licence:
            raise OutOfReach(str(error)) from error
        raise


def highs(
    weights: FloatArray, hidden: FloatArray, seconds: float, cutoff: float
) -> tuple[float, float]:
    """HiGHS over a polytope around the ball; columns x [d], y [M], one binary a convex unit."""
    import highspy

    ends = time.perf_counter() + seconds
    width, d = hidden.shape
    norms = np.linalg.norm(hidden, axis=1)
    convex = np.flatnonzero(weights > 0.0)
    solver = highspy.Highs()
    for option, setting in (("output_flag", False), ("threads", 1), ("mip_rel_gap", _GAP / 2)):
        solver.setOptionValue(option, setting)
    columns = d + width + len(convex)
    solver.addVars(
        columns,
        np.r_[-np.ones(d), np.zeros(columns - d)],
        np.r_[np.ones(d), norms, np.ones(len(convex))],
    )
    for i in range(width):
        solver.changeColCost(d + i, float(weights[i]))
    solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
    axes = np.arange(d, dtype=np.int32)

    def row(upper: float, along: FloatArray, more: dict[int, float]) -> None:
        index = np.r_[axes, np.array(list(more), dtype=np.int32)].astype(np.int32)
        entries = np.r_[along, np.array(list(more.values()))]
        solver.addRow(-highspy.kHighsInf, upper, len(index), index, entries)

    for i in range(width):
        row(0.0, hidden[i], {d + i: -1.0})
    for place, i in enumerate(convex):
        size = float(norms[i])
        on = d + width + place
        row(size, -hidden[i], {d + int(i): 1.0, on: size})
        row(0.0, np.zeros(d), {d + int(i): 1.0, on: -size})
    if cutoff > 0.0:
        index = np.arange(d, d + width, dtype=np.int32)
        solver.addRow(cutoff, highspy.kHighsInf, width, index, weights)
    for w, size in zip(hidden, norms, strict=True):
        for tangent in (w / size, -w / size):
            row(1.0, tangent, {})

    reached, bound = 0.0, float(weights[convex] @ norms[convex])

    def solve() -> FloatArray | None:
        """One solve within the time left; where the optimum lies, if there is one."""
        solver.setOptionValue("time_limit", max(0.01, ends - time.perf_counter()))
        solver.run()
        found = np.array(solver.getSolution().col_value)
        return (
            found
            if found.size == columns and solver.getInfo().primal_solution_status == 2
            else None
        )

    def cut_off(found: FloatArray) -> bool:
        """Whether a tangent was added: the optimum lies outside the ball."""
        size = float(np.linalg.norm(found[:d]))
        if size > 1.0 + _OUTSIDE:
            row(1.0, found[:d] / size, {})
        return size > 1.0 + _OUTSIDE

    def refine() -> None:
        """Tangents where the linear programme's optima lie outside the ball."""
        nonlocal reached
        for _ in range(_ROUNDS):
            found = solve()
            if found is None:
                return
            reached = max(reached, value(weights, hidden, found[:d]))
            if not cut_off(found):
                return

    binaries = np.arange(d + width, columns, dtype=np.int32)
    held = len(binaries)
    integral = np.full(held, highspy.HighsVarType.kInteger)
    relaxed = np.full(held, highspy.HighsVarType.kContinuous)
    refine()
    while time.perf_counter() < ends and bound > max(reached, cutoff) * (1.0 + _GAP):
        solver.changeColsIntegrality(held, binaries, integral)
        found = solve()
        if solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            return reached, cutoff
        bound = min(bound, float(solver.getInfo().mip_dual_bound))
        solver.changeColsIntegrality(held, binaries, relaxed)
        if found is None:
            break
        reached = max(reached, value(weights, hidden, found[:d]))
        pattern = np.round(found[d + width :])
        solver.changeColsBounds(held, binaries, pattern, pattern)
        cut_off(found)
        refine()
        solver.changeColsBounds(held, binaries, np.zeros(held), np.ones(held))
    return reached, max(bound, cutoff)


def crown(
    weights: FloatArray, hidden: FloatArray, seconds: float, *, optimised: bool
) -> tuple[float, float]:
    """auto_LiRPA's bound of the magnitude on the ball around 0; `seconds` plays no part."""
    import torch
    from auto_LiRPA import (  # pyright: ignore[reportMissingImports]
        BoundedModule,
        BoundedTensor,
        PerturbationLpNorm,
    )

    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    width, d = hidden.shape
    net = torch.nn.Sequential(
        torch.nn.Linear(d, width, bias=False),
        torch.nn.ReLU(),
        torch.nn.Linear(width, 1, bias=False),
    )
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(hidden))
        net[2].weight.copy_(torch.tensor(weights[None]))
    zero = torch.zeros(1, d)
    model = BoundedModule(net, zero)
    ball = BoundedTensor(zero, PerturbationLpNorm(norm=2, eps=1.0))
    method = "CROWN-Optimized" if optimised else "CROWN"
    low, high = model.compute_bounds(x=(ball,), method=method)
    return 0.0, max(-float(low), float(high))


def climbed(weights: FloatArray, hidden: FloatArray) -> float:
    """The best value of subgradient ascents from 200 points of the sphere."""
    points = np.random.default_rng(1).standard_normal((200, hidden.shape[1]))
    best = 0.0
    for step in 0.96 ** np.arange(300):
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        before = points @ hidden.T
        best = max(best, float((np.maximum(before, 0.0) @ weights).max()))
        slopes = np.where(before > 0.0, weights, 0.0) @ hidden
        sizes = np.linalg.norm(slopes, axis=1, keepdims=True)
        points += step * slopes / np.maximum(sizes, np.finfo(float).tiny)
    return best


def abcrown(
    weights: FloatArray, hidden: FloatArray, seconds: float, cutoff: float
) -> tuple[float, float]:
    """alpha,beta-CROWN's branch-and-bound over signs under an l2 perturbation of 0.

    PYTHONPATH holds a checkout of alpha-beta-CROWN and of the auto_LiRPA that it pins. Only what it
    calls safe counts: the bound that it returns once all signs are split is none. Its input splits
    bound boxes, the whole cube, not the ball. Optimiser settings are the fastest of the few that
    were tried on `gauss`.
    """
    import torch
    from abcrown import ABCrownSolver, VerificationSpec  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    ends = time.perf_counter() + seconds
    width, d = hidden.shape
    corner = torch.ones(1, d)

    class Ball(VerificationSpec):
        def to_vnnlib(self) -> list[tuple[dict[str, object], object]]:
            ball = {"X": 0.0 * corner, "eps": 1.0, "norm": 2.0}
            ball |= {"data_min": -corner, "data_max": corner}
            return [(ball, clauses) for _, clauses in super().to_vnnlib()]

    # Unsafe: minus the output, over the threshold, is at most -1.
    unsafe = (torch.tensor([[-1.0]]), torch.tensor([-1.0]))
    spec = Ball.build_from_input_bounds(-corner, corner, [[unsafe]])
    # Its branching wants a bias vector.
    net = torch.nn.Sequential(
        torch.nn.Linear(d, width), torch.nn.ReLU(), torch.nn.Linear(width, 1)
    ).double()
    reached = climbed(weights, hidden)
    upper = float(np.maximum(weights, 0.0) @ np.linalg.norm(hidden, axis=1))
    for gap in (3.0, 1.0, 0.3, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, _GAP):
        threshold = max(reached, cutoff) * (1.0 + gap)
        left = ends - time.perf_counter()
        if threshold >= upper or left <= 0.0:
            continue
        with torch.no_grad():
            for part, entries in ((net[0], hidden), (net[2], weights[None] / threshold)):
                part.weight.copy_(torch.tensor(entries))
                part.bias.zero_()
        config = {
            "general": {"device": "cpu", "double_fp": True, "complete_verifier": "bab"},
            "specification": {"norm": 2.0},
            "attack": {"pgd_order": "skip"},
            "solver": {
                "batch_size": 256,
                "beta-crown": {"iteration": 10, "lr_alpha": 0.1, "lr_beta": 0.2},
            },
            "bab": {"timeout": left},
        }
        if not ABCrownSolver(spec, net, config=config).solve().status.startswith("safe"):
            break
        upper = threshold
    return reached, upper


# (weights [M], hidden [M, d], seconds) -> (value reached, upper bound)
PEERS: dict[str, Callable[[FloatArray, FloatArray, float], tuple[float, float]]] = {
    "SCIP": partial(both_signs, scip),
    "Gurobi": partial(both_signs, gurobi),
    "HiGHS": partial(both_signs, highs),
    "CROWN": partial(crown, optimised=False),
    "alpha-CROWN": partial(crown, optimised=True),
    "alpha-beta-CROWN": partial(both_signs, abcrown),
}


def ask(
    name: str, instances: Sequence[tuple[FloatArray, FloatArray]], seconds: float
) -> list[list[float]] | None:
    """(value reached, upper bound, wall seconds, CPU seconds) of a peer for each (weights [M],
    hidden [M, d]), in a process of its own.

    None where the interpreter that PEER_PYTHON names (this one without it) lacks the peer, or the
    peer's licence does not cover an instance.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{number}.npz") for number in range(len(instances))]
        for path, (weights, hidden) in zip(paths, instances, strict=True):
            np.savez(path, weights=weights, hidden=hidden)
        answer = subprocess.run(
            [
                os.environ.get(_INTERPRETER, sys.executable),
                "-m",
                __name__,
                name,
                str(seconds),
                *paths,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if "ModuleNotFoundError" in answer.stderr or OutOfReach.__name__ in answer.stderr:
        return None
    if answer.returncode != 0:
        raise RuntimeError(f"{name} failed:\n{answer.stderr[-2000:]}")
    return json.loads(answer.stdout.splitlines()[-1])


def main(name: str, seconds: float, paths: list[str]) -> None:
    """What `ask` runs: print the answers as one line of JSON."""
    peer, answers = PEERS[name], []
    # Imports are nobody's solving time.
    peer(np.ones(2), np.eye(2), 1.0)
    for path in paths:
        data = np.load(path)
        wall, cpu = time.perf_counter(), time.process_time()
        found = peer(data["weights"], data["hidden"], seconds)
        answers.append([*found, time.perf_counter() - wall, time.process_time() - cpu])
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
