"""`slth.compress`: which hidden units of a trained network can go, with a certified error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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
from slth.frozen import Rebuilt, freeze
from slth.layers import FloatArray
from slth.limits import Deadline, Report, silent, stopped_by_interrupt
from slth.network import BoolArray
from slth.pruning.trained.free import free_units
from slth.pruning.trained.hidden import HiddenUnits
from slth.pruning.trained.means import means_of
from slth.pruning.trained.search import Found, Removal
from slth.solution import Enclosure, Status


@dataclass(frozen=True)
class Compression(Rebuilt):
    """A trained network with fewer hidden units.

    Attributes:
        network: the smaller network.
        kept: bool [width], one for each hidden layer: which units are left.
        error: enclosure of sup max_i |network_i - original_i| over the domain.
        status: "optimal" (no network of fewer units keeps the claim) or "feasible" (this one keeps
            it; removing nothing always does).
        least_units: proven: every network that keeps the claim has at least as many hidden units.
            With `merge` or `fold` both are about removals from the network that those left.
        original: the network that was compressed.
        stats: for reading.
    """

    network: DeepNetwork
    kept: tuple[BoolArray, ...]
    error: Enclosure
    status: Status
    least_units: int
    original: DeepNetwork
    stats: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = tuple(mask.view() for mask in self.kept)
        for mask in kept:
            mask.flags.writeable = False
        freeze(self, kept=kept)

    @property
    def units(self) -> int:
        """Hidden units that are left."""
        return int(sum(mask.sum() for mask in self.kept))

    def table(self) -> str:
        """Before and after: units, parameters, multiply-adds, certified and attained error."""
        before = int(sum(len(mask) for mask in self.kept))
        rows = [
            ("hidden units", f"{before:,}", f"{self.units:,}"),
            ("by layer", _sizes(len(m) for m in self.kept), _sizes(m.sum() for m in self.kept)),
            ("parameters", f"{self.original.weights:,}", f"{self.network.weights:,}"),
            (
                "multiply-adds",
                f"{multiplications(self.original):,}",
                f"{multiplications(self.network):,}",
            ),
            ("certified error", "0", f"{self.error.upper:.6g}"),
            ("attained error", "0", f"{self.error.lower:.6g}"),
            ("no fewer units than", "", f"{self.least_units:,}"),
            ("status", "", str(self.status)),
        ]
        widths = [max(len(row[k]) for row in [*rows, ("", "before", "after")]) for k in range(3)]
        lines = [("", "before", "after"), *rows]
        return "\n".join(
            f"{name:<{widths[0]}}  {old:>{widths[1]}}  {new:>{widths[2]}}"
            for name, old, new in lines
        )

    def __repr__(self) -> str:
        return f"Compression({self.status}: {self.units} hidden units, {self.error!r})"


def compress(
    model: object,
    domain: Domain,
    *,
    eps: float | None = None,
    units: int | Sequence[int] | None = None,
    ratio: float | None = None,
    agree_on: ArrayLike | None = None,
    radius: float | None = None,
    merge: bool = False,
    fold: bool = False,
    compensate: bool = False,
    time_limit: float | None = 60.0,
    seed: int = 0,
    report: Report = silent,
) -> Compression:
    """Remove hidden units of a trained network (channels of a Conv), nothing retrained.

    Exactly one of `eps`, `units`, `ratio` and `agree_on` says what for:

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

    Args:
        model: anything that `slth.as_network` takes, layers in a row.
        domain: Ball, Box or Orthant.
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
        InvalidInput: none or several of the four, values out of range, residual blocks; fold with
            an eps below what it rounds, or with agree_on on a domain that is no Box (boxes around
            rows may leave it); compensate with agree_on.
    """
    network = DeepNetwork.of(as_network(model))
    HiddenUnits(network)
    given = {"eps": eps, "units": units, "ratio": ratio, "agree_on": agree_on}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) != 1 or (radius is None) != (agree_on is None):
        raise InvalidInput(
            "one thing to compress for",
            got=", ".join(chosen) or "nothing",
            expected="one of eps, units, ratio, or agree_on with radius",
            fix="For example: slth.compress(model, slth.Box(0.0, 1.0), eps=0.1).",
        )
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
    started = Deadline()
    with stopped_by_interrupt(started):
        free = free_units(network, domain, merge=merge, fold=fold)
        run = Removal(HiddenUnits(free.network), free, domain, started.within(limit), seed, report)
        if compensate:
            run.means = means_of(run.hidden, domain)
        if eps is not None:
            found = run.within(require_positive("eps", eps))
        elif agree_on is not None:
            rows = _rows_of(agree_on, network)
            found = run.labels(rows, require_positive("radius", radius))
        else:
            found = run.budget(_budget(run.hidden, units, ratio))
        return _compression(network, run, found)


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


def _compression(network: DeepNetwork, run: Removal, found: Found) -> Compression:
    masks = tuple(run.hidden.split(found.kept))
    counts = {name: getattr(run.free, name) for name in ("dead", "unread", "parallel", "folded")}
    return Compression(
        run.written(found.kept),
        masks,
        found.error,
        found.status,
        found.least,
        network,
        {**counts, **({"compensated": True} if run.means else {}), **found.stats},
    )


def multiplications(network: DeepNetwork) -> int:
    """Multiply-adds of one evaluation."""
    return int(sum(getattr(m.matrix, "nnz", m.matrix.size) for m in network.affine_maps()))


def _sizes(counts: Iterable[int]) -> str:
    return "-".join(str(int(count)) for count in counts)


def _budget(
    hidden: HiddenUnits, units: int | Sequence[int] | None, ratio: float | None
) -> list[int] | int:
    if ratio is not None:
        share = require_number("ratio", ratio)
        if not 0.0 <= share <= 1.0:
            raise InvalidInput(
                "ratio out of range",
                got=repr(share),
                expected="a share of the units, 0 to 1",
                fix="Pass ratio=0.5.",
            )
        return int(share * hidden.total)
    if isinstance(units, Sequence):
        counts = [require_count("units", count, least=0) for count in units]
        if len(counts) != len(hidden.widths):
            raise InvalidInput(
                "units incompatible with the network",
                got=f"{len(counts)} numbers",
                expected=f"one for each of {len(hidden.widths)} hidden layers, or one in all",
                fix="Pass units=k for all layers together.",
            )
        return counts
    return require_count("units", units, least=0)
