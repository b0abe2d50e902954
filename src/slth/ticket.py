"""Ticket files: a mask on a network, the claim about its error, and the proofs of that claim.

docs/ticket-format.md specifies the file; slth.archive reads and writes its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

import numpy as np

from slth.archive import damaged, number, text
from slth.archived import Archived
from slth.errors import InvalidInput, require_count, require_positive
from slth.network import Mask, ReLUNetwork, random_network, require_networks
from slth.proof import ErrorProof, Refutation, RefutationProof, ZonalProof
from slth.solution import Enclosure, Solution, Status

Kind = Literal["neuron", "weight"]
Source = tuple[int, int, int]

FORMAT_VERSION = 1
# Entries of a network that is drawn again.
_MAX_DRAWN = 1 << 24
_GENERATOR = "slth.random_network"

# Every member a file may have: dtype and number of axes.
_ARRAYS = {
    "net.hidden": ("<f8", 2),
    "net.output": ("<f8", 1),
    "target.hidden": ("<f8", 2),
    "target.output": ("<f8", 1),
    "mask.hidden": ("|b1", 2),
    "mask.output": ("|b1", 1),
    "witness": ("<f8", 1),
    "error_proof.split": ("<u2", 2),
    "error_proof.tau": ("<u4", 2),
    "error_proof.mix": ("<u4", 1),
    "error_proof.slope": ("<f8", 2),
    "refutation.points": ("<f8", 2),
    "refutation.unit": ("<i4", 1),
    "refutation.start": ("<i8", 1),
    "refutation.point": ("<i4", 1),
    "refutation.weight": ("<f8", 1),
    "zonal.unit": ("<i4", 1),
    "zonal.measure": ("<i4", 1),
    "zonal.start": ("<i8", 1),
    "zonal.latitude": ("<f8", 1),
    "zonal.weight": ("<f8", 1),
}
_TEXTS = {"format", "version", "kind", "status", "enclosure", "method"}
_NUMBERS = {"radius", "eps", "lower", "upper", "bound"}


@dataclass(frozen=True, eq=False)
class Ticket(Archived):
    """A claim that can be written down: what `check` re-verifies.

    Attributes:
        net: the unpruned network the mask belongs to.
        target: the function to approximate.
        mask: which weights of `net` are kept.
        kind: "neuron" or "weight": the kind of masks that `bound` speaks of.
        radius: R > 0 of the ball {||x||_2 <= R}.
        error: the claimed enclosure of sup_{||x|| <= R} |net masked (x) - target(x)|.
        bound: claimed lower bound on the error of every mask of that kind; 0.0 claims nothing.
        status: the searcher's status, which the checker confirms or leaves open.
        eps: the accuracy that was asked for; None if none was.
        source: (d, width, seed) if net = random_network(d, width, seed, readout), which is then
            stored instead of the weights; None stores the weights.
        error_proof, refutation: proofs of `error.upper` and of `bound`, if there are any.
    """

    _name = "ticket"
    _types = _ARRAYS

    net: ReLUNetwork
    target: ReLUNetwork
    mask: Mask
    kind: Kind
    radius: float
    error: Enclosure
    bound: float
    status: Status
    eps: float | None = None
    source: Source | None = None
    error_proof: ErrorProof | None = None
    refutation: Refutation | None = None

    def __repr__(self) -> str:
        return (
            f"Ticket({self.kind} mask, {self.status}: {self.mask!r}, error <= "
            f"{self.error.upper:.6g} on the ball of radius {self.radius:g}, "
            f"every mask >= {self.bound:.6g})"
        )

    def __post_init__(self) -> None:
        require_networks(self.net, self.target)
        self.mask.require_fits(self.net)
        require_positive("radius", self.radius)
        if self.eps is not None:
            require_positive("eps", self.eps)
        _require_number("error.lower", self.error.lower)
        _require_number("error.upper", self.error.upper)
        _require_number("bound", self.bound)
        witness = self.error.witness
        if witness is not None and not (
            witness.shape == (self.net.d,) and np.isfinite(witness).all()
        ):
            raise InvalidInput(
                "witness is not a point",
                got=f"shape {witness.shape}",
                expected=f"{self.net.d} finite coordinates",
                fix="Pass the enclosure that the certifier returned.",
            )
        if self.kind not in get_args(Kind) or (
            self.kind == "neuron" and not self.mask.is_neuron_mask
        ):
            raise InvalidInput(
                "kind does not fit the mask",
                got=repr(self.kind),
                expected="'weight', or 'neuron' if whole units are kept or dropped",
                fix="Let Ticket.from_solution choose it.",
            )

    @classmethod
    def from_solution(
        cls,
        solution: Solution,
        net: ReLUNetwork,
        target: ReLUNetwork,
        *,
        radius: float = 1.0,
        eps: float | None = None,
        source: Source | None = None,
        error_proof: ErrorProof | None = None,
        refutation: Refutation | None = None,
    ) -> Self:
        """The ticket of a solution found on the (unpruned) `net` for `target`.

        Args:
            radius, eps: as the solution was asked for.
            source: (d, width, seed) if `net` is random_network(d, width, seed, net.readout).
            error_proof: proof of `solution.error.upper`; needed to check neuron tickets, d >= 3.
            refutation: proof of `solution.bound`; None takes the one of the solution.

        Raises:
            InvalidInput: the parts do not fit, or `source` draws other weights.
        """
        if source is not None:
            d, width, seed = source
            source = (int(d), int(width), int(seed))
            if random_network(*source, net.readout) != net:
                raise InvalidInput(
                    "source does not draw this network",
                    got=f"(d, width, seed) = {source}",
                    expected="the arguments of the random_network call that made it",
                    fix="Leave source out: the weights are then stored themselves.",
                )
        return cls(
            net=net,
            target=target,
            mask=solution.mask,
            kind="neuron" if solution.mask.is_neuron_mask else "weight",
            radius=float(radius),
            error=solution.error,
            bound=float(solution.bound),
            status=_claimed(solution),
            eps=None if eps is None else float(eps),
            source=source,
            error_proof=error_proof,
            refutation=solution.refutation if refutation is None else refutation,
        )

    @property
    def masked(self) -> ReLUNetwork:
        """The function the claim is about: `net` with every dropped weight set to 0."""
        return self.net.pruned(self.mask)

    def _header(self) -> dict[str, Any]:
        net: dict[str, Any] = {"readout": self.net.readout, "sha256": self.net.digest()}
        if self.source is not None:
            d, width, seed = self.source
            net["source"] = {"generator": _GENERATOR, "d": d, "width": width, "seed": seed}
        return {
            "format": "slth-ticket",
            "version": FORMAT_VERSION,
            "kind": self.kind,
            "status": str(self.status),
            "radius": float(self.radius).hex(),
            "eps": None if self.eps is None else float(self.eps).hex(),
            "lower": float(self.error.lower).hex(),
            "upper": float(self.error.upper).hex(),
            "bound": float(self.bound).hex(),
            "enclosure": str(self.error.status),
            "method": self.error.method,
            "net": net,
            "target": {"readout": self.target.readout, "sha256": self.target.digest()},
        }

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        if self.source is None:
            yield "net.hidden", self.net.hidden
            yield "net.output", self.net.output
        yield "target.hidden", self.target.hidden
        yield "target.output", self.target.output
        yield "mask.hidden", self.mask.hidden
        yield "mask.output", self.mask.output
        if self.error.witness is not None:
            yield "witness", self.error.witness
        zonal = isinstance(self.refutation, ZonalProof)
        proofs = {
            "error_proof": self.error_proof,
            "zonal" if zonal else "refutation": self.refutation,
        }
        for group, proof in proofs.items():
            if proof is not None:
                for field in fields(proof):
                    yield f"{group}.{field.name}", getattr(proof, field.name)

    @classmethod
    def _from_parts(cls, header: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        _require_header(header)
        source = None
        if "source" in header["net"]:
            source = _source(header["net"]["source"])
        net = _network("net", header["net"], arrays, source)
        target = _network("target", header["target"], arrays, None)
        witness = arrays.pop("witness", None)
        mask = Mask(_take(arrays, "mask.hidden"), _take(arrays, "mask.output"))
        error_proof = _proof("error_proof", ErrorProof, arrays)
        refutation = _proof("refutation", RefutationProof, arrays)
        if refutation is None:
            refutation = _proof("zonal", ZonalProof, arrays)
        if arrays:
            damaged(f"unexpected arrays {sorted(arrays)}")
        return cls(
            net=net,
            target=target,
            mask=mask,
            kind=_choice(header["kind"], get_args(Kind)),
            radius=number(header["radius"]),
            error=Enclosure(
                lower=number(header["lower"]),
                upper=number(header["upper"]),
                witness=witness,
                status=Status(_choice(header["enclosure"], list(Status))),
                method=text(header["method"]),
            ),
            bound=number(header["bound"]),
            status=Status(_choice(header["status"], list(Status))),
            eps=None if header["eps"] is None else number(header["eps"]),
            source=source,
            error_proof=error_proof,
            refutation=refutation,
        )


def _claimed(solution: Solution) -> Status:
    """The status a file states. It claims nothing of counts, so a ticket of the fewest units within
    eps is one that reached eps."""
    within = solution.least_units is not None and solution.status in (
        Status.OPTIMAL,
        Status.FEASIBLE,
    )
    return Status.REACHED if within else solution.status


def _require_number(name: str, value: float) -> None:
    if not (np.isfinite(value) and value >= 0):
        raise InvalidInput(
            f"{name} is not a claim",
            got=repr(value),
            expected="a finite number >= 0",
            fix="Certify the ticket first.",
        )


def _require_header(header: Mapping[str, Any]) -> None:
    stated = header.get("format"), header.get("version"), type(header.get("version"))
    if stated != ("slth-ticket", FORMAT_VERSION, int):
        damaged(f"not a ticket of format version {FORMAT_VERSION}")
    _require_keys("the header", header, _TEXTS | _NUMBERS | {"net", "target"})
    _require_keys("net", header["net"], {"readout", "sha256"}, {"source"})
    _require_keys("target", header["target"], {"readout", "sha256"})


def _require_keys(
    name: str, value: object, required: Set[str], optional: Set[str] = frozenset()
) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not required <= set(value) <= required | optional:
        damaged(f"{name} must have the keys {sorted(required)}")
    return value


def _take(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        damaged(f"{name} is missing")
    return arrays.pop(name)


def _network(
    name: str,
    header: Mapping[str, Any],
    arrays: dict[str, np.ndarray],
    source: Source | None,
) -> ReLUNetwork:
    readout = _choice(header["readout"], ("linear", "relu"))
    if source is None:
        hidden, output = _take(arrays, f"{name}.hidden"), _take(arrays, f"{name}.output")
        network = ReLUNetwork(hidden, output, readout)
    else:
        network = random_network(*source, readout)
    if network.digest() != header["sha256"]:
        damaged(f"the weights of {name} are not those whose SHA-256 the file states")
    return network


def _source(value: object) -> Source:
    stated = _require_keys("source", value, {"generator", "d", "width", "seed"})
    if stated["generator"] != _GENERATOR:
        damaged("unknown generator of weights")
    d = require_count("d", stated["d"], least=1)
    width = require_count("width", stated["width"], least=0)
    if (d + 1) * max(width, 1) > _MAX_DRAWN:
        damaged("the network to draw is too large")
    return d, width, require_count("seed", stated["seed"], least=0)


def _proof(name: str, kind: type[Any], arrays: dict[str, np.ndarray]) -> Any:
    names = [f"{name}.{field.name}" for field in fields(kind)]
    if not any(member in arrays for member in names):
        return None
    return kind(*(_take(arrays, member) for member in names))


def _choice(value: object, allowed: Any) -> Any:
    if value not in allowed:
        damaged(f"{value!r} is not one of {[str(a) for a in allowed]}")
    return value
