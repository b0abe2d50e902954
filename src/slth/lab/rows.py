"""What the gap experiment measures: one frozen row per (series, draw, eps), and the whole run."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from slth.lab.trial import Pruning
from slth.network import Readout

# A cell is decided when its found width is at most so many times the refuted one.
DECIDED = 1.5


@dataclass(frozen=True)
class Series:
    """One curve of the experiment: a pruning granularity with a readout."""

    pruning: Pruning
    readout: Readout

    @property
    def label(self) -> str:
        """Name for tables and legends."""
        kind = "neuron pruning" if self.pruning == "neurons" else "weight pruning"
        return f"{kind}, {self.readout} readout"


@dataclass(frozen=True)
class WidthRow:
    """The proven and found widths of one draw at one eps (per unit of radius).

    Attributes:
        series, draw, eps: which cell.
        refuted: largest width at which every ticket of that kind is proven to err by more than
            eps (0: nothing refuted). Networks are nested, so all smaller widths are refuted too.
        refuted_bound: the proven lower bound at that width (> eps; 0.0 where refuted = 0).
        found: smallest width with a certified ticket; None when none was found within the limits.
        found_error: certified upper bound on that ticket's error (<= eps).
        kept: units (neurons) or single weights (weights) the ticket keeps.
        kept_units: indices of the hidden units the ticket keeps, ascending.
        tried: widest network tried.
        seconds: time spent on this cell.
        cut: whether a limit in CPU-seconds cut it: another machine may get further.
        undecided: widest width below `found` at which a search neither found nor refuted; None if
            there is none.
    """

    series: Series
    draw: int
    eps: float
    refuted: int
    refuted_bound: float
    found: int | None
    found_error: float | None
    kept: int | None
    kept_units: tuple[int, ...]
    tried: int
    seconds: float
    cut: bool = False
    undecided: int | None = None

    @property
    def decided(self) -> bool:
        """Whether the found width is what is needed, or nearly: no width far below it was left
        open. For weights with the ReLU readout, whose widths nothing refutes, it is what the
        construction needs."""
        if self.found is None or self.cut:
            return False
        if self.undecided is None or self.series == Series("weights", "relu"):
            return True
        return self.found <= DECIDED * self.refuted


@dataclass(frozen=True)
class GapPlan:
    """What to run. eps is per unit of radius: everything is positively homogeneous.

    Draw k's network is `random_network(d, N, seed=seed + k)`; its target is uniform on the sphere,
    drawn from PCG64 seeded by `SeedSequence(seed + k, spawn_key=(d, 1))`.
    """

    d: int
    readout: Readout
    eps: tuple[float, ...]
    draws: int
    seed: int
    max_width: int
    search_seconds: float

    @property
    def series(self) -> tuple[Series, ...]:
        """The curves: both prunings with the plan's readout, and weights with the ReLU readout."""
        chosen = (Series("neurons", self.readout), Series("weights", self.readout))
        if self.readout == "relu":
            return chosen
        return (*chosen, Series("weights", "relu"))


@dataclass(frozen=True)
class GapRun:
    """A finished or interrupted run: the plan and the rows that are done."""

    plan: GapPlan
    rows: tuple[WidthRow, ...]
    complete: bool
    seconds: float

    def cell(self, series: Series, eps: float) -> list[WidthRow]:
        """All draws' rows of one series at one eps, by draw."""
        chosen = [row for row in self.rows if row.series == series and row.eps == eps]
        return sorted(chosen, key=lambda row: row.draw)

    def to_json(self) -> dict[str, object]:
        """Plain data: plan, rows, whether the run is complete."""
        return asdict(self)
