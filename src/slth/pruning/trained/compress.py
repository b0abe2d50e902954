"""`slth.compress`: what of a trained network can go, with a certified error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from slth.deep import DeepNetwork
from slth.domain import Box, Domain
from slth.doors import as_network
from slth.errors import (
    InvalidInput,
    require_array,
    require_count,
    require_number,
    require_positive,
    require_seed,
    require_time_limit,
)
from slth.layers import FloatArray, Residual
from slth.limits import Deadline, Report, silent, stopped_by_interrupt
from slth.pruning.trained.compression import Compression, Granularity
from slth.pruning.trained.connections import Connections
from slth.pruning.trained.free import Free, free_units
from slth.pruning.trained.hidden import HiddenUnits
from slth.pruning.trained.idle import idle_weights
from slth.pruning.trained.joined import JoinedUnits
from slth.pruning.trained.judge import Found, Judge, Removable
from slth.pruning.trained.means import Compensated, means_of
from slth.pruning.trained.search import Removal
from slth.pruning.trained.sparse import WeightRemoval
from slth.pruning.trained.units import Units

# Of the time that is left, for one certificate: more of them are asked for than of units.
_SHARE_OF_WEIGHTS = 0.05


def compress(
    model: object,
    domain: Domain,
    *,
    eps: float | None = None,
    units: int | Sequence[int] | None = None,
    weights: int | Sequence[int] | None = None,
    ratio: float | None = None,
    agree_on: ArrayLike | None = None,
    radius: float | None = None,
    granularity: Granularity = "neurons",
    merge: bool = False,
    fold: bool = False,
    compensate: bool = False,
    time_limit: float | None = 60.0,
    seed: int = 0,
    report: Report = silent,
) -> Compression:
    """Remove hidden units of a trained network (channels of a Conv), or single weights; nothing is
    retrained.

    Exactly one of `eps`, `units` (or `weights`), `ratio` and `agree_on` says what for:

    - eps: the fewest units with certified sup max_i |pruned_i - original_i| <= eps over the domain;
    - units: at most so many in all (a number) or in each hidden layer (a list), with a small error;
    - ratio: at most this share of the units, the same way;
    - agree_on, radius: the fewest units such that for each row of the data set the pruned network
      has, everywhere on the box of that radius around the row (cut with the domain if it is a
      Box), the label that the original has at the row. Rows for which that does not hold of the
      original itself are left out.

    A last softmax or sigmoid stays; errors are those of its argument. First go the units that can
    go for nothing, with an exact proof each: those that nothing reads, and those that are 0 on the
    whole domain.

    With granularity="weights" all of that is about single weights that become 0 (biases stay, and
    so does the shape; layers in residual blocks, too): the fewest weights; `weights` in place of
    `units`, a list being of all layers that have weights. For nothing go weights into and out of
    units that can go for nothing.

    Args:
        model: anything that `slth.as_network` takes. Units joined by a skip go together.
        domain: Ball, Box or Orthant.
        granularity: "neurons" or "weights".
        merge: whether a unit may also take over what reads another that is a multiple of it. That
            changes weights, so it is more than pruning: `kept` alone does not say the network.
        fold: whether units of dense layers that are on (>= 0) on the whole domain, and affine
            combinations of others that are, are folded into the next dense layer. That changes
            weights, too; what it rounds is part of the certified error.
        compensate: whether the biases of the next dense layer take over units that go, at the
            middle of their ranges on the domain. More than pruning, too; nothing is then proven of
            fewer units (`least_units` is 0).
        time_limit: seconds; None means no limit. Ctrl-C ends the search like a passed limit.
        seed: of the points at which removals are tried.
        report: called with the units left.

    Raises:
        InvalidInput: none or several of those, values out of range; merge, fold or compensate
            with residual blocks; merge, fold, compensate or units with weights, weights with
            neurons; fold with an eps below what it rounds, or with agree_on on a domain that is no
            Box (boxes around rows may leave it); compensate with agree_on.
    """
    network = DeepNetwork.of(as_network(model))
    given = {"eps": eps, "units": units, "weights": weights, "ratio": ratio, "agree_on": agree_on}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) != 1 or (radius is None) != (agree_on is None):
        raise InvalidInput(
            "one thing to compress for",
            got=", ".join(chosen) or "nothing",
            expected="one of eps, units (or weights), ratio, or agree_on with radius",
            fix="For example: slth.compress(model, slth.Box(0.0, 1.0), eps=0.1).",
        )
    more = {"merge": merge, "fold": fold, "compensate": compensate}
    _require_fitting(granularity, chosen[0], [name for name, asked in more.items() if asked])
    if compensate and agree_on is not None:
        raise InvalidInput(
            "compensate with labels",
            got="both",
            expected="eps, units or ratio",
            fix="Leave out compensate.",
        )
    if fold and agree_on is not None and not isinstance(domain, Box):
        raise InvalidInput(
            "fold with labels on a domain that is no box",
            got=type(domain).__name__,
            expected="a Box: boxes around rows are cut with it, and units stay on there",
            fix="Pass a Box that holds the boxes around the rows, or leave out fold.",
        )
    seed, limit = require_seed(seed), require_time_limit(time_limit)
    single = granularity == "weights"
    skips = any(isinstance(item, Residual) for item in network.items)
    if skips and (merge or fold or compensate):
        raise InvalidInput(
            "merge, fold or compensate with residual blocks",
            got=repr(network),
            expected="removal alone: a skip passes the units on",
            fix="Leave them out.",
        )
    started = Deadline()
    with stopped_by_interrupt(started):
        if single:
            parts = Connections(network)
            free = idle_weights(parts, domain)
            until = started.within(limit)
            judge = Judge(parts, parts, free, domain, until, seed, _SHARE_OF_WEIGHTS)
            run = WeightRemoval(parts, judge, report)
            sizes, count = [int(mask.sum()) for mask in parts.split(parts.present)], weights
        else:
            hidden, parts, free = _units(network, domain, merge, fold, compensate)
            judge = Judge(parts, hidden, free, domain, started.within(limit), seed)
            run = Removal(hidden, judge, report)
            sizes, count = hidden.widths, units
        if eps is not None:
            found = run.within(require_positive("eps", eps))
        elif agree_on is not None:
            rows = _rows_of(agree_on, network)
            found = run.labels(rows, require_positive("radius", radius))
        else:
            found = run.budget(_budget(chosen[0], sizes, count, ratio))
        return _compression(network, run, found)


def _units(
    network: DeepNetwork, domain: Domain, merge: bool, fold: bool, compensate: bool
) -> tuple[Units, Removable, Free]:
    """The hidden units, how they go, and what goes for nothing (with residual blocks: nothing)."""
    if any(isinstance(item, Residual) for item in network.items):
        joined = JoinedUnits(network)
        whole = np.ones(joined.total, np.bool_)
        return joined, joined, Free(network, whole, ~whole, 0, 0, 0)
    free = free_units(network, domain, merge=merge, fold=fold)
    hidden = HiddenUnits(free.network)
    parts = Compensated(hidden, means_of(hidden, domain)) if compensate else hidden
    return hidden, parts, free


def _require_fitting(granularity: Granularity, asked: str, more: list[str]) -> None:
    """Raises InvalidInput for what is said of weights where units go, and the other way round."""
    if granularity not in get_args(Granularity):
        raise InvalidInput(
            "unknown granularity",
            got=repr(granularity),
            expected="'neurons' or 'weights'",
            fix="Use 'neurons' for whole hidden units.",
        )
    wrong = ["weights"] if granularity == "neurons" else ["units", *more]
    wrong = [name for name in wrong if name == asked or name in more]
    if wrong:
        other = "neurons" if granularity == "weights" else "weights"
        raise InvalidInput(
            f"{wrong[0]} with granularity {granularity!r}",
            got=", ".join(wrong),
            expected=f"that of granularity={other!r} only",
            fix=f"Pass granularity={other!r}, or leave it out.",
        )


def _rows_of(agree_on: ArrayLike, network: DeepNetwork) -> FloatArray:
    rows = require_array("agree_on", agree_on, ndim=2)
    if rows.shape[1] != network.d or network.outputs < 2:
        raise InvalidInput(
            "rows incompatible with the network",
            got=f"{rows.shape[1]} numbers a row, a network of {network.d} inputs and "
            f"{network.outputs} outputs",
            expected="a number for each input, and two or more outputs",
            fix="Pass the data that the network was trained on, one example a row.",
        )
    return rows


def _compression(network: DeepNetwork, run: Removal | WeightRemoval, found: Found) -> Compression:
    free = run.judge.free
    stats: dict[str, object] = {"dead": free.dead, "unread": free.unread}
    smaller = run.judge.written(found.kept)
    if isinstance(run, WeightRemoval):
        masks = tuple(run.parts.split(found.kept))
        stats |= found.stats
        args = (found.error, found.status, 0, network, stats, "weights", found.least)
        return Compression(smaller, masks, *args)
    stats |= {"parallel": free.parallel, "folded": free.folded}
    stats |= {**({"compensated": True} if run.compensated else {}), **found.stats}
    masks = tuple(run.hidden.split(found.kept))
    return Compression(smaller, masks, found.error, found.status, found.least, network, stats)


def _budget(
    name: str, sizes: list[int], count: int | Sequence[int] | None, ratio: float | None
) -> list[int] | int:
    """At most so many in all, or of each of the layers of these sizes."""
    if ratio is not None:
        share = require_number("ratio", ratio)
        if not 0.0 <= share <= 1.0:
            raise InvalidInput(
                "ratio out of range",
                got=repr(share),
                expected="a share of what is there, 0 to 1",
                fix="Pass ratio=0.5.",
            )
        return int(share * sum(sizes))
    if isinstance(count, Sequence):
        counts = [require_count(name, part, least=0) for part in count]
        if len(counts) != len(sizes):
            raise InvalidInput(
                f"{name} incompatible with the network",
                got=f"{len(counts)} numbers",
                expected=f"one for each of {len(sizes)} layers, or one in all",
                fix=f"Pass {name}=k for all layers together.",
            )
        return counts
    return require_count(name, count, least=0)
