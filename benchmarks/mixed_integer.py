"""General solvers on the neuron-pruning problem, over points of the sphere added lazily.

The mixed-integer program: min t, |sum_i z_i phi_i(x_p) - f(x_p)| <= t, z binary, over a growing
choice of points where the last optimum was violated (4,000 on the circle, 20,000 random ones
above). Linear readout. The upper bound is the error at those points only, and the solvers' lower
bounds are floats, not made safe: they are references, not proofs. One thread each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

import slth
from benchmarks.instances import instance
from slth.limits import Deadline
from slth.network import FloatArray
from slth.pruning.neurons.problem import random_sphere

# (phi [P, N], f [P], seconds) -> (z [N], lower bound)
Solver = Callable[[FloatArray, FloatArray, float], tuple[FloatArray, float]]

_CLOSED = 1e-3


def solve_lazily(
    solver: Solver, net: slth.ReLUNetwork, target: slth.ReLUNetwork, seconds: float
) -> tuple[float, float, float, float]:
    """(lower, upper, wall seconds, CPU seconds) of one solver."""
    points = random_sphere(np.random.default_rng(0), 4000 if net.d == 2 else 20_000, net.d)
    phi = np.maximum(points @ net.hidden.T, 0.0) * net.output
    f = target(points)
    rows = np.random.default_rng(1).choice(len(f), 40, replace=False).tolist()
    lower, upper, deadline = 0.0, 1.0, Deadline(seconds)
    started = time.process_time()
    while not deadline.expired:
        keep, bound = solver(phi[rows], f[rows], deadline.remaining)
        lower = max(lower, bound)
        residual = np.abs(phi @ keep - f)
        upper = min(upper, float(residual.max()))
        if closed(lower, upper):
            break
        taken: list[int] = []
        for p in np.argsort(-residual)[:1500]:
            if residual[p] <= lower + 1e-6 or len(taken) == 10:
                break
            if not taken or float((points[taken] @ points[p]).max()) < 0.995:
                taken.append(int(p))
        rows += taken
    return lower, upper, deadline.elapsed, time.process_time() - started


def closed(lower: float, upper: float) -> bool:
    """Whether a reference has finished: a gap of 0.1 %."""
    return upper - lower < _CLOSED * upper


def highs(phi: FloatArray, f: FloatArray, seconds: float) -> tuple[FloatArray, float]:
    """HiGHS' mixed-integer solver."""
    import highspy

    count, width = phi.shape
    solver = highspy.Highs()
    for option, value in (("output_flag", False), ("threads", 1), ("time_limit", seconds)):
        solver.setOptionValue(option, value)
    infinite = highspy.kHighsInf
    solver.addVars(width + 1, np.zeros(width + 1), np.r_[np.ones(width), infinite])
    solver.changeColCost(width, 1.0)
    for i in range(width):
        solver.changeColIntegrality(i, highspy.HighsVarType.kInteger)
    for sign in (1.0, -1.0):
        matrix = np.c_[sign * phi, -np.ones(count)]
        filled = matrix != 0.0
        starts = np.r_[0, np.cumsum(filled.sum(axis=1))[:-1]].astype(np.int32)
        solver.addRows(
            count,
            np.full(count, -infinite),
            sign * f,
            int(filled.sum()),
            starts,
            np.nonzero(filled)[1].astype(np.int32),
            matrix[filled],
        )
    solver.run()
    values = np.array(solver.getSolution().col_value)
    bound = float(solver.getInfo().mip_dual_bound)
    if values.size != width + 1:
        return np.zeros(width), max(0.0, bound)
    return np.round(values[:width]).astype(np.float64), max(0.0, bound)


def scip(phi: FloatArray, f: FloatArray, seconds: float) -> tuple[FloatArray, float]:
    """SCIP's branch-and-cut."""
    from pyscipopt import Model, quicksum

    model = Model()
    model.hideOutput()
    model.setParam("limits/time", max(seconds, 0.01))
    z = [model.addVar(vtype="B") for _ in range(phi.shape[1])]
    t = model.addVar(lb=0.0)
    model.setObjective(t)
    for row, value in zip(phi, f, strict=True):
        total = quicksum(float(c) * z[i] for i, c in enumerate(row) if c != 0.0)
        model.addCons(total - t <= float(value))
        model.addCons(total + t >= float(value))
    model.optimize()
    bound = max(0.0, float(model.getDualbound()))
    if model.getNSols() == 0:
        return np.zeros(phi.shape[1]), bound
    best = model.getBestSol()
    return np.round([best[v] for v in z]).astype(np.float64), bound


def cp_sat(phi: FloatArray, f: FloatArray, seconds: float) -> tuple[FloatArray, float]:
    """OR-Tools' CP-SAT on coefficients rounded to integers of 1e-6; its bound is lowered by what
    the rounding can change."""
    from ortools.sat.python import cp_model

    scale = 1e6
    count, width = phi.shape
    integral = np.rint(phi * scale).astype(int)
    values = np.rint(f * scale).astype(int)
    model = cp_model.CpModel()
    z = [model.new_bool_var("") for _ in range(width)]
    most = int(np.abs(integral).sum(axis=1).max() + np.abs(values).max())
    t = model.new_int_var(0, most, "t")
    for p in range(count):
        total = cp_model.LinearExpr.weighted_sum(z, integral[p].tolist())
        model.add(total - t <= int(values[p]))
        model.add(total + t >= int(values[p]))
    model.minimize(t)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = max(seconds, 0.01)
    status = solver.solve(model)
    bound = max(0.0, (solver.best_objective_bound - 0.5 * (width + 1)) / scale)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return np.zeros(width), bound
    return np.array([float(solver.value(v)) for v in z]), bound


SOLVERS: dict[str, Solver] = {"HiGHS": highs, "SCIP": scip, "CP-SAT": cp_sat}


def solve_apart(
    name: str, width: int, d: int, seed: int, seconds: float
) -> tuple[float, float, float, float]:
    """`solve_lazily` in a process of its own: HiGHS and OR-Tools do not live in one process."""
    python = os.environ.get("PEER_PYTHON", sys.executable)
    arguments = [name, str(width), str(d), str(seed), str(seconds)]
    done = subprocess.run(
        [python, "-m", "benchmarks.mixed_integer", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    lower, upper, wall, cpu = json.loads(done.stdout)
    return lower, upper, wall, cpu


if __name__ == "__main__":
    chosen, *numbers = sys.argv[1:]
    units, dimension, draw = (int(number) for number in numbers[:3])
    pair = instance(units, dimension, draw)
    print(json.dumps(solve_lazily(SOLVERS[chosen], *pair, float(numbers[3]))))
