"""A plan: which trials a sweep has, as a dataclass or a TOML file."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any, get_args

from slth.errors import InvalidInput, require_count, require_positive
from slth.lab.searchers import searcher_of
from slth.lab.trial import Pruning, Trial, draw_seed
from slth.network import Readout

# Trials that start from one another, in this order.
Chain = tuple[Trial, ...]


@dataclass(frozen=True)
class Grid:
    """The product of all its lists. `eps=(None,)` asks for the smallest error at each width;
    `width=None` asks for the smallest width for each eps, by bisection; `contender` None is slth's
    own search."""

    pruning: tuple[Pruning, ...]
    readout: tuple[Readout, ...]
    d: tuple[int, ...]
    eps: tuple[float | None, ...] = (None,)
    width: tuple[int, ...] | None = None
    contender: tuple[str | None, ...] = (None,)

    def __post_init__(self) -> None:
        for name, allowed in (("pruning", get_args(Pruning)), ("readout", get_args(Readout))):
            for value in getattr(self, name):
                if value not in allowed:
                    raise InvalidInput(
                        f"unknown {name}",
                        got=repr(value),
                        expected=" or ".join(map(repr, allowed)),
                        fix="Choose among them.",
                    )
        for field in fields(self):
            values = getattr(self, field.name)
            if values is not None and (not values or len(set(values)) < len(values)):
                raise InvalidInput(
                    f"{field.name} is empty or repeats a value",
                    got=list(values),
                    expected="one or more different values",
                    fix="List each once.",
                )
        for pruning, contender in itertools.product(self.pruning, self.contender):
            searcher_of(pruning, contender)
        for d in self.d:
            require_count("d", d, least=1)
        for width in self.width or ():
            require_count("width", width, least=1)
        for eps in self.eps:
            if eps is not None:
                require_positive("eps", eps)
        if self.width is None and None in self.eps:
            raise InvalidInput(
                "bisection over widths without eps",
                got='width = "bisect" and no eps',
                expected="a list of eps",
                fix="Say how near is near enough, or list the widths.",
            )


@dataclass(frozen=True)
class Plan:
    """Grids of trials, each over `draws` independent networks and targets.

    Attributes:
        name: for people.
        grids: their trials; one that is in several runs once.
        draws, seed: draw k has the network seed `draw_seed(seed, k)`.
        max_width: widest network that bisection tries.
        search_seconds: limit of one search at one width; trial_seconds: of one trial; infinity is
            none. What a finite limit cuts depends on the machine's speed.
    """

    name: str
    grids: tuple[Grid, ...]
    draws: int = 1
    seed: int = 0
    max_width: int = 20_000
    search_seconds: float = math.inf
    trial_seconds: float = math.inf

    def __post_init__(self) -> None:
        require_count("draws", self.draws, least=1)
        require_count("seed", self.seed, least=0)
        require_count("max_width", self.max_width, least=1)
        for name in ("search_seconds", "trial_seconds"):
            if getattr(self, name) != math.inf:
                require_positive(name, getattr(self, name))
        if not self.grids:
            raise InvalidInput(
                "plan without a grid",
                got="no [[grid]]",
                expected="one or more",
                fix="See docs/sweeps.md for an example.",
            )

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Plan:
        """Read a TOML file, see docs/sweeps.md.

        Raises:
            InvalidInput: the file cannot be read, is no TOML, or says what no plan says.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(
                "plan cannot be read",
                got=f"{path}: {error}",
                expected="a TOML file",
                fix="See docs/sweeps.md for an example.",
            ) from error
        return cls.from_toml(text)

    @classmethod
    def from_toml(cls, text: str) -> Plan:
        """The plan that a TOML text declares."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InvalidInput(
                "plan is not TOML", got=str(error), expected="a TOML file", fix="Mend that line."
            ) from error
        limits = table.pop("limits", {})
        grids = table.pop("grid", [])
        if not isinstance(limits, dict) or not isinstance(grids, list):
            raise InvalidInput(
                "plan with a wrong table",
                got="limits or grid of another type",
                expected="one [limits] and several [[grid]]",
                fix="See docs/sweeps.md for an example.",
            )
        _require_keys("the plan", table, {"name", "draws", "seed"})
        _require_keys("[limits]", limits, {"max_width", "search_seconds", "trial_seconds"})
        return cls(
            grids=tuple(_grid(entry) for entry in grids), **{"name": "sweep", **table, **limits}
        )

    def to_toml(self) -> str:
        """The plan as TOML; equal plans give equal texts."""
        lines = [f"{name} = {_toml(getattr(self, name))}" for name in ("name", "draws", "seed")]
        lines += ["", "[limits]"]
        lines += [
            f"{name} = {_toml(getattr(self, name))}"
            for name in ("max_width", "search_seconds", "trial_seconds")
        ]
        for grid in self.grids:
            lines += ["", "[[grid]]"]
            for field in fields(grid):
                values = getattr(grid, field.name)
                if values is None:
                    lines.append(f'{field.name} = "bisect"')
                elif values != (None,):
                    lines.append(f"{field.name} = {_toml(values)}")
        return "\n".join(lines) + "\n"

    @property
    def key(self) -> str:
        """SHA-256 (hex) of `to_toml()`."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def chains(self) -> Iterator[Chain]:
        """The trials, draw by draw. Those of one chain run in order, chains in any; a trial may be
        in two chains."""
        seen: set[Trial] = set()
        for draw in range(self.draws):
            for grid in self.grids:
                for chain in self._chains(grid, draw):
                    if not seen.issuperset(chain):
                        seen.update(chain)
                        yield chain

    def trials(self) -> list[Trial]:
        """Every trial once, in the order of `chains`."""
        return list(dict.fromkeys(itertools.chain.from_iterable(self.chains())))

    def _chains(self, grid: Grid, draw: int) -> Iterator[Chain]:
        for d, readout, contender in itertools.product(grid.d, grid.readout, grid.contender):
            base = Trial(
                "neurons",
                readout,
                d,
                None,
                None,
                draw,
                draw_seed(self.seed, draw),
                contender,
                search_seconds=_finite(self.search_seconds),
                trial_seconds=_finite(self.trial_seconds),
            )
            if grid.width is not None:
                for pruning, eps, width in itertools.product(grid.pruning, grid.eps, grid.width):
                    yield (replace(base, pruning=pruning, eps=eps, width=width),)
                continue
            base = replace(base, max_width=self.max_width)
            levels = tuple(eps for eps in grid.eps if eps is not None)
            for group in feeding_groups(grid.pruning, readout):
                yield bisection_chain(base, group, levels)


def feeding_groups(prunings: tuple[Pruning, ...], readout: Readout) -> list[tuple[Pruning, ...]]:
    """Which prunings share a chain: a linear-readout neuron ticket starts the weight search."""
    if readout == "linear" and prunings:
        return [tuple(sorted(prunings))]
    return [(pruning,) for pruning in prunings]


def bisection_chain(base: Trial, prunings: tuple[Pruning, ...], levels: tuple[float, ...]) -> Chain:
    """One draw's trials from large eps to small: each starts from what the one before has proven,
    and weight pruning also from the neuron ticket of its eps."""
    chain: list[Trial] = []
    latest: dict[Pruning, str] = {}
    for eps in sorted(levels, reverse=True):
        for pruning in prunings:
            after = [latest[pruning]] if pruning in latest else []
            if pruning == "weights" and chain and "neurons" in prunings:
                after.append(latest["neurons"])
            trial = replace(base, pruning=pruning, eps=eps, after=tuple(after))
            latest[pruning] = trial.key
            chain.append(trial)
    return tuple(chain)


def _finite(seconds: float) -> float | None:
    return None if seconds == math.inf else float(seconds)


def _grid(entry: object) -> Grid:
    if not isinstance(entry, dict):
        raise InvalidInput(
            "grid is not a table", got=repr(entry), expected="[[grid]]", fix="Write it so."
        )
    names = {field.name for field in fields(Grid)}
    _require_keys("[[grid]]", entry, names)
    missing = {"pruning", "readout", "d"} - set(entry)
    if missing:
        raise InvalidInput(
            "grid incomplete",
            got=f"no {', '.join(sorted(missing))}",
            expected="pruning, readout and d",
            fix="Name them; one value or a list.",
        )
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else (value,) for name, value in entry.items()
    }
    if values.get("width") == ("bisect",):
        values["width"] = None
    if "contender" in values:
        values["contender"] = tuple(
            None if name == "slth" else name for name in values["contender"]
        )
    return Grid(**values)


def _require_keys(where: str, table: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise InvalidInput(
            f"unknown name in {where}",
            got=", ".join(unknown),
            expected=f"some of {', '.join(sorted(known))}",
            fix="Mend the spelling; see docs/sweeps.md.",
        )


def _toml(value: object) -> str:
    if value is None:
        return '"slth"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float) and math.isinf(value):
        return "inf"
    return json.dumps(value)
