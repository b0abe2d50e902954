"""Audit of Sections 5.4 and 5.5: the capped process, the coupling, p0 and q0, Lemmas 5 and 7."""

from __future__ import annotations

import math

import numpy as np

from slth.theory.audit.line import AuditLine, Finding
from slth.theory.breakpoints import kinks
from slth.theory.chains import (
    Chain,
    chernoff_lemma7,
    exact_law,
    lemma7,
    lemma7_array,
    log_at_zero,
)
from slth.theory.processes import CoupledPath, PruningPath, capped_process, couple, pruning_process
from slth.theory.route import Constants, constants

_RUNS = 150


def _example() -> Constants:
    """A small T, reached quickly, with q < p / 2 as the paper asks."""
    return constants(0.002, 2.0, gamma=1.0, margin=0.2, share=0.03)


def _runs(
    rng: np.random.Generator, chosen: Constants, steps: int, gather: int
) -> list[tuple[PruningPath, CoupledPath]]:
    target = np.array([0.8, 0.6])
    runs = []
    for _ in range(gather):
        hidden, output = rng.standard_normal((steps, 2)), rng.standard_normal(steps)
        path = pruning_process(
            hidden,
            output,
            target,
            family=0,
            bins=chosen.bins,
            tolerance=chosen.tolerance,
            keep_states=True,
        )
        both = kinks(hidden, output)
        coupled = couple(
            path,
            chosen.chain,
            (both.breakpoints[0], both.jumps[0]),
            bins=chosen.bins,
            gamma=chosen.gamma,
            margin=chosen.margin,
            rng=rng,
        )
        runs.append((path, coupled))
    return runs


def capped_below_original(rng: np.random.Generator) -> AuditLine:
    """Eq. 2 and Lemma 4, path by path, at every cap."""
    chosen = _example()
    violations, steps, floor = 0, 0, 0
    for path, _ in _runs(rng, chosen, 200, 40):
        for cap in (1, 2, 3, 5):
            capped = capped_process(path, cap)
            violations += int((capped > path.broken).sum())
            floor += int(((capped[:-1] == 0) & (path.moves < 0)).sum())
            steps += path.moves.shape[0]
    return AuditLine(
        "Eq. 2, Lemma 4: capped <= original on the same draws",
        f"{steps:,} steps of actual draws, T = 1, 2, 3, 5",
        Finding.TRUE,
        f"{violations} violations; {floor} times the capped process stands at 0 while the original "
        "is mended: it must then stay, a rule the paper leaves out",
        "min(max(B + move, 0), T), by induction",
        violations == 0,
    )


def birth_death_coupling(rng: np.random.Generator) -> AuditLine:
    """Eq. 3: the chain is coupled below min(B, T), but not below the capped process."""
    chosen = _example()
    runs = _runs(rng, chosen, 400, _RUNS)
    inside = float(chosen.bins.masses().sum())
    above, below_cap, starved, freed, steps = 0, 0, 0, 0, 0
    for path, coupled in runs:
        above += int((coupled.chain > np.minimum(path.broken, chosen.cap)).sum())
        capped = capped_process(path, chosen.cap)
        below_cap += int((coupled.chain > capped).sum())
        free = capped[:-1] < chosen.cap
        freed += int(free.sum())
        # All unbroken bins together are likelier than p0 only if this is false.
        starved += int((inside - coupled.broken_mass[free] < chosen.p0).sum())
        steps += path.broken.shape[0]
    return AuditLine(
        "Eq. 3: some coupling has the birth-death chain <= the capped process",
        f"the coupling of the proof, one of many, on {len(runs)} draws of 400 units, T = "
        f"{chosen.cap}, "
        f"p = {chosen.p0:.3f}, "
        f"q = {chosen.q0:.3f}",
        Finding.OPEN,
        f"{below_cap} of {steps:,} states lie above the capped process in this coupling; whether "
        f"another "
        "has none is not examined. The capped process shares the moves of a "
        f"process with more than T broken bins: of {freed:,} steps below the cap {starved:,} have "
        "less than p0 of unbroken mass left, so p0 is no lower bound on breaking there",
        f"chain <= min(B, T): {above} violations; it is 0 exactly when B is",
        above == 0 and starved > 0,
    )


def lemma_5(rng: np.random.Generator) -> AuditLine:
    """Uniform bounds on p_s, q_s order the probabilities to be at 0: exact laws."""
    worst = math.inf
    for _ in range(300):
        cap = int(rng.integers(1, 6))
        p, q = 0.5 * rng.random() + 0.01, 0.4 * rng.random() + 0.01
        dependent = _state_dependent_zero(rng, p, q, cap, 12)
        slowest = float(exact_law(Chain(q, p, cap), 12)[0])
        worst = min(worst, slowest - dependent)
    return AuditLine(
        "Lemma 5: uniform bounds on p_s and q_s suffice",
        "300 random chains, p_s >= p, q_s <= q depending on state and time, exact law at k = 12",
        Finding.HOLDS,
        f"least excess of the (q,p,T)-chain {worst:.1e} (never negative)",
        "p + q <= 1 keeps the two kinds of move apart in the coupling (Definition 4 implies it); "
        "the bounds must hold given the past and while B <= T: true of min(B, T), not of the "
        "capped process",
        worst >= -1e-15,
    )


def _state_dependent_zero(rng: np.random.Generator, p: float, q: float, cap: int, k: int) -> float:
    """Pr(X_k = 0) for a chain on 0 .. 2 cap, random p_s >= p below the cap, q_s <= q up to it."""
    now = np.zeros(2 * cap + 2)
    now[1] = 1.0
    for _ in range(k):
        following = np.zeros_like(now)
        for b in range(2 * cap + 1):
            fall = q * rng.random() if 0 < b <= cap else (rng.random() * 0.5 if b else 0.0)
            rise = p + (1.0 - p - fall) * rng.random() if b < cap else 0.4 * rng.random()
            if b == 2 * cap:
                rise = 0.0
            following[b] += now[b] * (1.0 - rise - fall)
            following[b + 1] += now[b] * rise
            if b:
                following[b - 1] += now[b] * fall
        now = following
    return float(now[0])


def breaking_probability(rng: np.random.Generator) -> AuditLine:
    """p0 = c1 c2 c3 treats jump and breakpoint as independent; the exact law decides."""
    del rng
    few, many = [], []
    for gamma in (0.5, 1.0, 2.0):
        for share in (0.05, 0.1, 0.2, 0.4, 0.6):
            chosen = constants(0.002, 2.0, gamma=gamma, margin=0.2, share=share)
            ratio = chosen.p0 / (chosen.c1 * chosen.c2 * chosen.c3)
            (few if share < 0.4 else many).append(ratio)
    small = constants(0.0005, 2.0, gamma=1.0, margin=0.2, share=0.04)
    return AuditLine(
        "5.5: c1 c2 c3 is a lower bound p0 on breaking, q0 < p0/2",
        "the exact law of (breakpoint, jump), the likeliest T - 1 bins broken, over c1 c2 c3; R = "
        "2, "
        ""
        "gamma = .5, 1, 2",
        Finding.TRUE,
        f"the proof multiplies as if breakpoint and jump were independent. T up to 20 % of the "
        f"bins: "
        f""
        f"ratio {min(few):.2f} to {max(few):.2f}, the product is a lower bound; T = 40 and 60 %: "
        f"{min(many):.2f} to {max(many):.2f}, it need not be, for broken bins may sit where jumps "
        f"are "
        f"large. T = 4 %: p0 = {small.p0:.3f}, q0 = {small.q0:.3f}",
        "p0 as a sum over bins of the exact law",
        small.q0 < small.p0 / 2 and min(few) >= 1.0 and min(many) < 1.0,
    )


def lemma_7(rng: np.random.Generator) -> AuditLine:
    """exp(-Omega(min(k, T))): exact law against Chernoff and against the spectral bound."""
    del rng
    chain = Chain(0.1, 0.3, 60)
    rows, sound = [], True
    for k in (10, 40, 200, 2_000):
        exact = log_at_zero(chain, k)
        ours, chernoff = lemma7(chain, k), chernoff_lemma7(chain, k)
        sound &= exact <= ours and exact <= chernoff
        rows.append(f"k = {k}: {exact:.1f} | {ours:.1f} | {chernoff:.1f}")
    start_zero = log_at_zero(chain, 40, start=0)
    steps = np.arange(1, 400)
    bound = lemma7_array(chain, steps)
    sound &= bool((np.diff(bound) <= 0.0).all())
    return AuditLine(
        "Lemma 7: Pr(B_k = 0) <= exp(-Omega(min(k, T)))",
        "(q, p, T) = (0.1, 0.3, 60): log exact | log spectral bound | log Chernoff as in the proof",
        Finding.TRUE,
        "; ".join(rows) + f"; rate {chain.decay_rate:.4f} a step, then log(p/q) T = "
        f"{chain.cap * math.log(3):.1f}",
        "case 2 may restart at 0, not only above 1 (log Pr at k = 40 from 0: "
        f"{start_zero:.1f}): harmless with L >= R for L > R; case 1 needs T >= 3 and q < p/2 "
        "strictly; pi(0) + kappa lambda^k needs neither",
        sound,
    )
