"""Tickets of every shape, made by hand, and taking their files apart."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping

import numpy as np

import slth
from slth.proof import ErrorProof, RefutationProof
from slth.ticket import Ticket
from tests.ticket_oracles import root_above, squared_error


def claim(net, target, mask, lower, upper, *, witness=None, bound=0.0, status="feasible", **p):
    """A ticket with the given claims, whoever made them."""
    point = None if witness is None else np.asarray(witness, dtype=np.float64)
    error = slth.Enclosure(lower, upper, point, slth.Status.OPEN, "by hand")
    solution = slth.Solution(mask, error, bound, slth.Status(status), net.pruned(mask))
    return Ticket.from_solution(solution, net, target, **p)


def examples() -> dict[str, Ticket]:
    """True tickets, one for each kind of content a file can have."""
    drawn = slth.random_network(2, 8, 7)
    plane = slth.neuron([0.6, 0.8])
    keep = slth.Mask.of_units(np.arange(8) % 3 == 0, 2)
    upper = root_above(squared_error(drawn.pruned(keep), plane))
    witness = np.array([0.6, 0.8])
    seen = abs(float(drawn.pruned(keep)(witness)) - 1.0)
    # Multiples of 2^-20 keep every number of this proof exact: |relu(x) - 0| = 1 at (1, 0).
    alone = slth.ReLUNetwork([[0.0, 1.0]], [1.0])
    flat = slth.neuron([1.0, 0.0])
    refutation = RefutationProof(
        np.array([[1.0, 0.0], [0.0, 1.0]]),
        np.array([0, -1, -1], dtype=np.int32),
        np.array([0, 1, 2], dtype=np.int64),
        np.array([0, 0], dtype=np.int32),
        np.array([-1.0, -1.0]),
    )
    net = slth.random_network(3, 18, 5, "relu")
    hidden = np.zeros((18, 3), dtype=bool)
    hidden[np.arange(18), np.arange(18) % 3] = True
    weight = slth.Mask(hidden, np.arange(18) % 5 != 0)
    # In space, |3 x + 4 y| against 0: one cone an orthant.
    ridge = slth.ReLUNetwork([[3.0, 4.0, 0.0], [-3.0, -4.0, 0.0], [-1.0, 2.0, 1.0]], np.ones(3))
    nothing = slth.ReLUNetwork(np.zeros((0, 3)), np.zeros(0))
    return {
        "drawn": claim(
            drawn,
            plane,
            keep,
            seen * (1 - 1e-12),
            upper,
            witness=witness * (1 - 2.0**-50),
            radius=1.0,
            source=(2, 8, 7),
        ),
        "radius": claim(
            drawn, plane, keep, 0.0, 3.0 * upper, radius=2.5, status="reached", eps=10.0
        ),
        "weight": claim(net, slth.neuron([0.0, 0.6, 0.8]), weight, 0.0, 100.0, radius=2.0),
        "proven": claim(
            alone,
            flat,
            _kept(False, d=2),
            1.0,
            1.0,
            witness=[1.0, 0.0],
            bound=1.0 - 2.0**-40,
            status="optimal",
            refutation=refutation,
        ),
        "cones": claim(ridge, nothing, _kept(True, True, False), 0.0, 5.0, error_proof=_cones()),
        "line": claim(slth.random_network(1, 3, 0), slth.neuron([1.0]), _line(), 0.0, 50.0),
        "nothing": claim(nothing, slth.neuron([1.0, 0.0, 0.0]), _kept(), 0.0, 1.0),
    }


def _kept(*keep: bool, d: int = 3) -> slth.Mask:
    return slth.Mask.of_units(np.array(keep, dtype=bool), d)


def _line() -> slth.Mask:
    return slth.Mask(np.array([[True], [False], [True]]), np.array([True, True, False]))


def _cones() -> ErrorProof:
    # On an orthant |3 x + 4 y| <= <u, x>, u = (+-3, +-4, 0), with equality at the generators; and
    # 0 - |3 x + 4 y| <= 0 with tau = 0.
    signs = np.array([(1 - 2 * i, 1 - 2 * j, 0) for i, j, _ in np.ndindex(2, 2, 2)])
    return ErrorProof(
        np.zeros((16, 4), dtype=np.uint16),
        np.zeros((16, 2), dtype=np.uint32),
        np.full(16, 1 << 30, dtype=np.uint32),
        np.concatenate([signs * np.array([3.0, 4.0, 0.0]), np.zeros((8, 3))]),
    )


def members(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Name and content of every member of a file."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(
    path: str | os.PathLike[str], content: Mapping[str, bytes], packing: int = zipfile.ZIP_DEFLATED
) -> None:
    """Write the members as a zip file."""
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
