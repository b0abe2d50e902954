"""Written proofs about two networks on a domain: how far apart they are, or that labels agree.

A tree of boxes, and at each leaf the lines with which the checker bounds what is claimed there.
docs/ticket-format.md specifies the file; nothing in it is trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from slth import archive
from slth.archive import Damaged, damaged
from slth.archived import Archived
from slth.domain import Ball, Box, Domain, Orthant
from slth.errors import InvalidInput
from slth.frozen import Rebuilt, freeze

FORMAT_VERSION = 1
_FORMAT = "slth-pair-proof"
_ARRAYS = {
    "domain.low": ("<f8", 1),
    "domain.high": ("<f8", 1),
    "domain.center": ("<f8", 1),
    "order.size": ("<i4", 1),
    "order.net": ("<i4", 1),
    "order.target": ("<i4", 1),
    "split": ("<i4", 1),
    "slopes": ("|u1", 2),
    "joins": ("|u1", 2),
    "ways": ("|u1", 2),
}
_KEYS = {
    "format",
    "version",
    "claim",
    "number",
    "net",
    "target",
    "paired",
    "domain",
    "radius",
}
ERROR, LABELS = "error", "labels"


@dataclass(frozen=True)
class PairClaim:
    """What is claimed of two networks.

    Attributes:
        eps: every |net_i(x) - target_i(x)| <= eps on the domain; None: the claim is one of labels.
        delta: of labels: wherever net has a label, with a softmax above delta (None: all x), it is
            among target's largest outputs.
    """

    eps: float | None
    delta: float | None = None

    def __post_init__(self) -> None:
        eps, delta = self.eps, self.delta
        if (
            (eps is not None and not 0.0 < eps < np.inf)
            or (eps is not None and delta is not None)
            or (delta is not None and not 0.0 <= delta < 1.0)
        ):
            raise InvalidInput(
                "no claim about two networks",
                got=f"eps = {eps}, delta = {delta}",
                expected="eps > 0, or delta with 0 <= delta < 1, or neither",
                fix="Pass eps for an error, nothing or delta for labels.",
            )

    @property
    def name(self) -> str:
        """ "error" or "labels"."""
        return LABELS if self.eps is None else ERROR

    @property
    def statement(self) -> str:
        """The claim in words."""
        if self.eps is not None:
            return f"error <= {self.eps!r}"
        where = "" if self.delta is None else f" where its softmax exceeds {self.delta!r}"
        return f"target has the label of net{where}"


@dataclass(frozen=True, eq=False)
class PairProof(Archived, Rebuilt):
    """A claim about two networks on a domain, and its proof.

    The tree is in preorder. A node cuts its box at the middle of an axis: the lower half comes
    first.

    Attributes:
        claim: what is claimed.
        net, target: SHA-256 of the networks, without a last softmax or sigmoid
            (`DeepNetwork.digest` of `before_last()`).
        domain: where it is claimed.
        paired: whether the networks' steps are taken side by side.
        order_size: int32 [maps - 1]: of each map but the last, the length of the orders of its
            outputs, 0 where they stay as they are; none if not paired.
        order_net, order_target: int32 [sum of order_size], see `check_pair.steps.together`.
        split: int32 [nodes], an axis, or -1 at a leaf.
        slopes, joins: uint8 [leaves, units of kinks], see `check_pair.lines`.
        ways: uint8 [leaves, outputs^2] of labels, [0, 0] of an error; see `check_pair.rule`.
    """

    _name = "proof"
    _types = _ARRAYS

    claim: PairClaim
    net: str
    target: str
    domain: Domain
    paired: bool
    order_size: NDArray[np.int32]
    order_net: NDArray[np.int32]
    order_target: NDArray[np.int32]
    split: NDArray[np.int32]
    slopes: NDArray[np.uint8]
    joins: NDArray[np.uint8]
    ways: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for name in ("order_size", "order_net", "order_target", "split"):
            _require_array(name, getattr(self, name), np.int32, 1)
        for name in ("slopes", "joins", "ways"):
            _require_array(name, getattr(self, name), np.uint8, 2)
        leaves = int((self.split == -1).sum())
        sizes = self.order_size.astype(np.int64)
        fits = (
            len(self.slopes) == len(self.joins) == leaves
            and len(self.ways) == (leaves if self.claim.eps is None else 0)
            and self.slopes.shape == self.joins.shape
            and bool((self.split >= -1).all())
            and bool((sizes >= 0).all())
            and int(sizes.sum()) == len(self.order_net) == len(self.order_target)
        )
        if not fits:
            raise InvalidInput(
                "parts of a proof do not fit each other",
                got=f"{leaves} leaves, codes for {len(self.slopes)}",
                expected="lines for every leaf of its tree",
                fix="Let slth.certify.prove.pair write it.",
            )
        arrays = {name: v for name, v in vars(self).items() if isinstance(v, np.ndarray)}
        freeze(self, **{name: array.view() for name, array in arrays.items()})

    def __repr__(self) -> str:
        return f"PairProof({self.claim.statement}, {len(self.slopes):,} leaves)"

    @property
    def orders(self) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """By map but the last: the orders of its outputs in net and in target."""
        ends = np.cumsum(self.order_size, dtype=np.int64).tolist()
        spans = zip([0, *ends], ends, strict=False)
        return [(self.order_net[a:b], self.order_target[a:b]) if b > a else None for a, b in spans]

    def _header(self) -> dict[str, Any]:
        number = self.claim.delta if self.claim.eps is None else self.claim.eps
        domain, radius = _KINDS[type(self.domain)], getattr(self.domain, "radius", None)
        return {
            "format": _FORMAT,
            "version": FORMAT_VERSION,
            "claim": self.claim.name,
            "number": None if number is None else number.hex(),
            "net": self.net,
            "target": self.target,
            "paired": self.paired,
            "domain": domain,
            "radius": None if radius is None else float(radius).hex(),
        }

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        if isinstance(self.domain, Box):
            yield "domain.low", np.atleast_1d(np.array(self.domain.low))
            yield "domain.high", np.atleast_1d(np.array(self.domain.high))
        elif isinstance(self.domain, Ball) and self.domain.center is not None:
            yield "domain.center", np.array(self.domain.center)
        for name in ("size", "net", "target"):
            yield f"order.{name}", getattr(self, f"order_{name}")
        for name in ("split", "slopes", "joins", "ways"):
            yield name, getattr(self, name)

    @classmethod
    def _from_parts(cls, header: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        stated = header.get("format"), header.get("version"), type(header.get("version"))
        if stated != (_FORMAT, FORMAT_VERSION, int):
            damaged(f"not a proof about two networks of format version {FORMAT_VERSION}")
        if set(header) != _KEYS or not isinstance(header["paired"], bool):
            damaged(f"the header must have the keys {sorted(_KEYS)}")
        if header["claim"] not in (ERROR, LABELS):
            damaged(f"unknown claim {header['claim']!r}")
        number = None if header["number"] is None else archive.number(header["number"])
        if header["claim"] == ERROR and number is None:
            damaged("an error without a number")
        claim = PairClaim(number) if header["claim"] == ERROR else PairClaim(None, number)
        domain = _domain(header, arrays)
        missing = set(_ARRAYS) - {f"domain.{end}" for end in ("low", "high", "center")}
        if set(arrays) != missing:
            damaged(f"the arrays must be {sorted(missing)}")
        for name in ("net", "target"):
            if not isinstance(header[name], str):
                damaged(f"{name} is not a text")
        return cls(
            claim,
            header["net"],
            header["target"],
            domain,
            header["paired"],
            *(arrays[name] for name in ("order.size", "order.net", "order.target")),
            *(arrays[name] for name in ("split", "slopes", "joins", "ways")),
        )


_KINDS = {Ball: "ball", Box: "box", Orthant: "orthant"}


def _domain(header: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> Domain:
    """The domain; its arrays are taken from the others."""
    kind, stated = header["domain"], header["radius"]
    radius = None if stated is None else archive.number(stated)
    if kind == "box" and radius is None and {"domain.low", "domain.high"} <= set(arrays):
        low, high = arrays.pop("domain.low"), arrays.pop("domain.high")
        return Box(low.tolist(), high.tolist())
    if kind == "ball" and radius is not None:
        center = arrays.pop("domain.center", None)
        return Ball(radius, None if center is None else center.tolist())
    if kind == "orthant" and radius is not None:
        return Orthant(radius)
    raise Damaged("unknown domain")


def _require_array(name: str, array: object, dtype: type[np.generic], ndim: int) -> None:
    if not (isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == ndim):
        raise InvalidInput(
            f"{name} of a proof",
            got=f"{getattr(array, 'dtype', type(array).__name__)}",
            expected=f"{np.dtype(dtype).name} with {ndim} axes",
            fix="Let slth.certify.prove.pair write it.",
        )
