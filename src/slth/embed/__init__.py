"""Whole networks as seed + mask: prune a random network to any ReLU network, with a certificate."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

from slth.deep import DeepNetwork
from slth.domain import Ball, Domain
from slth.embed import file
from slth.embed.assemble import Construction, error_of, layers_of
from slth.embed.budget import Part, parts_of, plans_of, spend
from slth.embed.certificate import stated
from slth.embed.embedding import Embedding
from slth.embed.reach import Even, over_sides, require_even
from slth.embed.samples import Layer
from slth.embed.shape import Target, as_target, target_of
from slth.embed.solve import Solved, restore, solve_layer
from slth.errors import (
    InvalidInput,
    TicketError,
    require_count,
    require_positive,
    require_time_limit,
)
from slth.limits import Deadline, Progress, Report, silent, stopped_by_interrupt
from slth.threads import usable_threads

__all__ = ["Embedding", "embed", "load"]

# Plans aim a little below eps, nearer once the layers' errors are known, and again a little below
# with every miss. An error well below eps is tried a few times with fewer samples.
_AIM = 0.9
_NEAR = 0.97
_WELL_USED = 0.85
_FEWER = 3
_ATTEMPTS = 8


def embed(
    target: object,
    eps: float,
    *,
    domain: Domain | None = None,
    seed: int = 0,
    construction: Construction = "double",
    workers: int | None = None,
    time_limit: float | None = None,
    report: Report = silent,
) -> Embedding:
    """Prune a random network to a deep ReLU network, with a certified end-to-end error.

    Every weight of the target is the nearest sum of a subset of n random products; n is chosen
    layer by layer so that the mask is short and the certified error at most eps.

    Args:
        target: a slth.DeepNetwork, a list of (W [out, in], b [out] or None), a torch.nn.Sequential
            of Linear, Conv2d, Flatten and ReLU, a scikit-learn MLPClassifier or MLPRegressor
            (its outputs before softmax or logistic), or a ReLUNetwork with linear readout.
        eps: error allowed: sup over the domain of the largest |embedded_i(x) - target_i(x)|.
        domain: Ball(R), ||x||_2 <= R, or Box(low, high); default Ball(1.0).
        seed: of the random weights, 0 <= seed < 2^63.
        construction: "double" (Pensia et al. 2020): two random layers for each of the target's,
            any layers. "plus-one" (Burkholz 2022): one layer more than the target, which holds
            several copies of every unit: masks grow by the number of copies; no residual blocks.
        workers: threads; None: one a processor. The answer does not depend on it.
        time_limit: seconds; None means no limit. When they are over, and at Ctrl-C, weights that
            are not solved yet get the empty subset: the embedding is valid, its error large,
            unless an earlier attempt was better.
        report: called with the progress.

    Returns:
        Embedding, status "reached", or "unknown" where 30 samples a weight did not suffice:
        `error` says how near it came.

    Raises:
        InvalidInput: anything but such a target, eps <= 0, a bad seed or construction, a residual
            block at the input or with "plus-one".
    """
    eps = require_positive("eps", eps)
    network = as_target(target)
    where = Ball() if domain is None else require_even(domain, network.d)
    seed = require_count("seed", seed, least=0)
    if seed >= 1 << 63:
        raise InvalidInput(
            "seed too large", got=seed, expected="below 2^63", fix="Choose a smaller seed."
        )
    threads = usable_threads() if workers is None else require_count("workers", workers, least=1)
    if construction not in get_args(Construction):
        raise InvalidInput(
            "unknown construction",
            got=repr(construction),
            expected="'double' or 'plus-one'",
            fix="Use 'double' unless depth matters.",
        )
    goal = target_of(network)
    if construction == "plus-one" and any(shape.block >= 0 for shape in goal.shapes):
        raise InvalidInput(
            "residual block with construction 'plus-one'",
            got="a Residual item",
            expected="Dense and Conv items only: copies of a unit have no common skip",
            fix="Use construction='double'.",
        )
    deadline = Deadline(require_time_limit(time_limit))
    with stopped_by_interrupt(deadline):
        report(Progress("measuring the layers", 0.0, math.inf))
        parts = parts_of(goal, where, construction == "plus-one", seed, deadline)
        run = _Embedder(network, goal, where, eps, seed, construction, threads, report, deadline)
        best = tried = run.embedded(parts, math.inf if deadline.expired else _AIM * eps)
        for attempt in range(1, _ATTEMPTS):
            if best.error <= eps and (attempt > _FEWER or best.error >= _WELL_USED * eps):
                break
            if deadline.expired or all(part.exhausted(tried.plans) for part in parts):
                break
            # What was solved replaces what was measured on a few weights.
            predicted = sum(part.learn(tried.plans, run.rms(part)) for part in parts)
            tried = run.embedded(parts, _NEAR**attempt * eps * predicted / tried.error)
            best = min(best, tried, key=_preference)
    return best


def _preference(embedding: Embedding) -> tuple[bool, float]:
    """Reached before not reached; then the shorter mask, or the smaller error."""
    missed = embedding.error > embedding.eps
    return missed, embedding.error if missed else embedding.mask_bits


def load(path: str | os.PathLike[str], *, workers: int | None = None) -> Embedding:
    """Read an embedding file; the random weights are drawn again and compared with its SHA-256.

    Raises:
        TicketError: the file is missing, damaged, of another version, or its seed does not draw
            the weights it was made from.
    """
    threads = usable_threads() if workers is None else require_count("workers", workers, least=1)
    stated = file.read(path)
    layers = layers_of(stated.shapes, stated.plans, stated.seed, stated.construction, stated.domain)
    solved = tuple(
        restore(layer, mask, bias_mask, threads)
        for layer, (mask, bias_mask) in zip(layers, stated.masks, strict=True)
    )
    if file.weights_digest(solved) != stated.weights_digest:
        raise TicketError(
            f"{path}: not a valid embedding: seed {stated.seed} draws other weights than those "
            f"whose SHA-256 the file states"
        )
    return Embedding(
        shapes=stated.shapes,
        plans=stated.plans,
        seed=stated.seed,
        construction=stated.construction,
        domain=stated.domain,
        eps=stated.eps,
        error=stated.error,
        target_digest=stated.target_digest,
        input_shape=stated.input_shape,
        solved=solved,
    )


@dataclass
class _Embedder:
    """One call: solved layers are kept while their plans stay."""

    network: DeepNetwork
    target: Target
    domain: Even
    eps: float
    seed: int
    construction: Construction
    workers: int
    report: Report
    deadline: Deadline
    done: dict[int, tuple[Layer, Solved]] = field(default_factory=dict)

    def embedded(self, parts: Sequence[Part], aim: float) -> Embedding:
        """Solve every layer for a predicted error of `aim`, then certify."""
        target = self.target
        plans = tuple(plans_of(len(target.shapes), parts, spend(parts, aim)))
        layers = layers_of(target.shapes, plans, self.seed, self.construction, self.domain)
        solved = tuple(self._solved(k, layer, len(layers)) for k, layer in enumerate(layers))
        error = stated(error_of(target, layers, solved, self.domain))
        self.report(Progress("certified", 0.0, error))
        return Embedding(
            shapes=target.shapes,
            plans=plans,
            seed=self.seed,
            construction=self.construction,
            domain=self.domain,
            eps=self.eps,
            error=error,
            target_digest=self.network.digest(),
            input_shape=self.network.shape,
            solved=solved,
        )

    def rms(self, part: Part) -> float:
        """rms error of the part as it was solved last."""
        layer, solved = self.done[part.layer]
        if part.bias:
            wanted = np.repeat(self.target.biases[part.layer], layer.copies)
            return float(np.sqrt(np.mean((solved.bias - wanted) ** 2)))
        wanted = over_sides(self.target.kernels[part.layer], layer.sides)
        off = solved.kernel - np.repeat(wanted, layer.copies, axis=0)
        return float(np.sqrt(np.mean(off**2)))

    def _solved(self, k: int, layer: Layer, count: int) -> Solved:
        if k in self.done and _same(self.done[k][0], layer):
            return self.done[k][1]
        rows = 0

        def tick(more: int) -> None:
            nonlocal rows
            rows += more
            phase = f"layer {k + 1} of {count}, {100 * rows // layer.rows} %"
            self.report(Progress(phase, 0.0, math.inf))

        kernel = over_sides(self.target.kernels[k], layer.sides)
        solved = solve_layer(
            layer, kernel, self.target.biases[k], self.workers, tick, self.deadline
        )
        self.done[k] = (layer, solved)
        return solved


def _same(first: Layer, second: Layer) -> bool:
    """Whether two layers are pruned from the same random weights."""
    keys = [(la.plan, la.copies, la.stacked, la.pools.width) for la in (first, second)]
    return keys[0] == keys[1]
