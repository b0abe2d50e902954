"""Mutated ticket files, and an exact oracle for whatever of them still verifies."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np

import slth
from slth.certify.prove.error import prove_error
from slth.check import check
from slth.errors import SlthError, TicketError
from slth.network import Mask
from slth.proof import RefutationProof
from slth.ticket import Ticket
from slth.verdict import Outcome
from tests.clocks import certified
from tests.refuting import points_on_sphere, refute_neurons
from tests.ticket_files import claim, examples
from tests.ticket_oracles import best_neuron_error, root_above, squared_error

BITS, CONTENT, MEANING = "bits of the file", "contents, packed anew", "claims, written anew"


def corpus() -> list[Ticket]:
    """True tickets with proofs of every kind, small enough for the oracle."""
    tickets = list(examples().values())
    for readout in ("linear", "relu"):
        net, target = slth.random_network(2, 4, 3, readout), slth.neuron([0.6, 0.8])
        keep = slth.Mask.of_units(np.array([True, False, True, True]), 2)
        upper = root_above(squared_error(net.pruned(keep), target))
        bound = 0.95 * root_above(best_neuron_error(net, target))
        proof = refute_neurons(net, target, bound, points_on_sphere(2, 60))
        tickets.append(
            claim(net, target, keep, 0.0, upper, bound=bound, refutation=proof, radius=1.0)
        )
        # Searched for, with a tree of branches, fixed units and screened ones.
        seed = 32 if readout == "linear" else 9
        net = slth.random_network(2, 6, seed, readout)
        found = slth.prune_neurons(net, target, radius=2.0, time_limit=None, proof=True)
        tickets.append(Ticket.from_solution(found, net, target, radius=2.0, source=(2, 6, seed)))
        eps = 0.7 * found.bound
        none = slth.prune_neurons(net, target, radius=2.0, eps=eps, time_limit=None, proof=True)
        tickets.append(Ticket.from_solution(none, net, target, radius=2.0, eps=eps))
        space, goal = slth.random_network(3, 4, 3, readout), slth.neuron([0.0, 0.6, 0.8])
        keep = slth.Mask.of_units(np.array([True, False, True, True]), 3)
        error = slth.certify(space.pruned(keep), goal)
        upper = error.upper * (1 + 1e-3)
        cones = prove_error(space.pruned(keep), goal, upper)
        tickets.append(claim(space, goal, keep, 0.0, upper, error_proof=cones))
    return tickets


def written(ticket: Ticket, folder: Path) -> bytes:
    """The bytes of its file."""
    path = folder / "whole.ticket"
    ticket.save(path)
    return path.read_bytes()


def mutate(rng: np.random.Generator, ticket: Ticket, data: bytes) -> tuple[str, bytes | Ticket]:
    """One random change: of the bytes of the file, of its members, or of what it claims."""
    level = rng.integers(3)
    if level == 0:
        return BITS, _bytes(rng, data)
    if level == 1:
        return CONTENT, _content(rng, data)
    return MEANING, _meaning(rng, ticket)


def _bytes(rng: np.random.Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(changed)))
        kind = rng.integers(6)
        if kind == 0:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[at] = int(rng.integers(256))
        elif kind == 2:
            del changed[at:]
        elif kind == 3:
            del changed[at : at + int(rng.integers(1, 64))]
        elif kind == 4:
            changed[at:at] = rng.bytes(int(rng.integers(1, 64)))
        else:
            changed[at : at + 4] = int(rng.choice([0, 2**32 - 1, 2**31])).to_bytes(4, "little")
        if not changed:
            break
    return bytes(changed)


def _content(rng: np.random.Generator, data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    name = str(rng.choice(list(content)))
    kind = rng.integers(5)
    if kind == 0:
        content[name] = _bytes(rng, content[name])
    elif kind == 1:
        other = str(rng.choice(list(content)))
        content[name], content[other] = content[other], content[name]
    elif kind == 2:
        del content[name]
    elif kind == 3:
        at = len(content[name]) - 1 - int(rng.integers(min(64, len(content[name]))))
        changed = bytearray(content[name])
        changed[at] ^= 1 << int(rng.integers(8))
        content[name] = bytes(changed)
    else:
        content["ticket.json"] = _header(rng, content["ticket.json"])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, value in content.items():
            archive.writestr(member, value)
    return stream.getvalue()


def _header(rng: np.random.Generator, text: bytes) -> bytes:
    header = json.loads(text)
    key = str(rng.choice(list(header)))
    value = float(rng.choice([0.0, -1.0, 1e-300, 1e300, np.inf, np.nan, rng.random(), 5e-324]))
    header[key] = [
        value.hex(),
        None,
        value,
        int(rng.integers(-3, 3)),
        {"a": {"b": []}},
        "neuron",
        "optimal",
        str(header[key]) + "0",
    ][int(rng.integers(8))]
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _meaning(rng: np.random.Generator, ticket: Ticket) -> Ticket:
    """A ticket that states something else, all digests right."""
    kind = rng.integers(12)
    factor = float(rng.choice([1 - 1e-9, 1 + 1e-9, 0.5, 2.0, 0.0, 1 - 2.0**-52]))
    error = ticket.error
    if kind == 0:
        return _with(ticket, error=dataclasses.replace(error, upper=error.upper * factor))
    if kind == 1:
        return _with(ticket, error=dataclasses.replace(error, lower=error.lower * factor + 0.01))
    if kind == 2:
        return _with(ticket, bound=ticket.bound * factor + float(rng.choice([0.0, 1e-3])))
    if kind == 3:
        return _with(ticket, radius=ticket.radius * max(factor, 1e-9))
    if kind == 4:
        point = _noisy(rng, np.ones(ticket.net.d) if error.witness is None else error.witness)
        return _with(ticket, error=dataclasses.replace(error, witness=point))
    if kind == 5:
        mask = ticket.mask
        hidden, output = mask.hidden.copy(), mask.output.copy()
        if output.size:
            unit = rng.integers(output.size)
            output[unit] ^= True
            hidden[unit] = output[unit] if mask.is_neuron_mask else ~hidden[unit]
        return _with(ticket, mask=Mask(hidden, output))
    if kind == 6:
        net = ticket.net
        other = slth.ReLUNetwork(_noisy(rng, net.hidden), net.output, net.readout)
        return _with(ticket, net=other, source=None)
    if kind == 7:
        status = slth.Status(rng.choice(["optimal", "reached", "refuted", "feasible"]))
        return _with(ticket, status=status, eps=float(error.upper * max(factor, 1e-9)))
    if kind >= 9 and ticket.refutation is not None:
        changed = _tree(rng, ticket.refutation)
        # A bound between the proven one and the truth, or beyond it.
        bound = ticket.bound * float(rng.choice([1.0, 1.0, 0.5, 1 + 1e-5, 1 + 1e-3, 2.0]))
        return _with(ticket, refutation=changed, bound=bound)
    for group in ("error_proof", "refutation"):
        proof = getattr(ticket, group)
        if proof is not None:
            name = str(rng.choice(list(vars(proof))))
            array = getattr(proof, name)
            changed = dataclasses.replace(proof, **{name: _noisy(rng, array)})
            return _with(ticket, **{group: changed})
    return ticket


def _tree(rng: np.random.Generator, proof: RefutationProof) -> RefutationProof:
    """Multipliers, points, branches or leaves of a refutation changed for others of its own."""
    parts = {name: getattr(proof, name).copy() for name in vars(proof)}
    unit, start, point, weight = (parts[name] for name in ("unit", "start", "point", "weight"))
    kind = rng.integers(8)
    one, other = rng.integers(len(unit), size=2)
    entry, another = rng.integers(len(weight), size=2)
    if kind == 0:
        weight[entry] *= -1.0
    elif kind == 1:
        weight[entry], weight[another] = weight[another], weight[entry]
    elif kind == 2:
        point[entry] = rng.integers(len(proof.points))
    elif kind == 3:
        # Which child keeps the unit.
        unit[one] = -2 - unit[one] if unit[one] != -1 else -1
    elif kind == 4:
        unit[one], unit[other] = unit[other], unit[one]
    elif kind == 5:
        # A leaf takes the multipliers of the leaf before it, which then has more.
        start[rng.integers(len(start))] = start[rng.integers(len(start))]
        start.sort()
        start[0], start[-1] = 0, len(weight)
    elif kind == 6:
        cut = int(rng.integers(1, len(unit) + 1))
        leaves = int((unit[:cut] == -1).sum())
        entries = int(start[leaves])
        parts |= {"unit": unit[:cut], "start": start[: leaves + 1]}
        parts |= {"point": point[:entries], "weight": weight[:entries]}
    else:
        parts["points"][rng.integers(len(proof.points))] *= rng.choice([-1.0, 0.0, 1e-3, 1e6])
    return RefutationProof(**parts)


def _with(ticket: Ticket, **changes: object) -> Ticket:
    return dataclasses.replace(ticket, **changes)  # type: ignore[arg-type]


def _noisy(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    changed = array.copy().reshape(-1)
    if changed.size:
        at = rng.integers(changed.size)
        if changed.dtype == np.float64:
            changed[at] *= rng.choice([1 + 1e-9, 1 - 1e-9, -1.0, 0.0, 1e-200, 3.0])
        else:
            changed[at] = rng.integers(0, 4)
    return changed.reshape(array.shape)


def judge(path: Path, changed: bytes | Ticket) -> str:
    """Write the change, read and check it: "unreadable", "refused", "not covered" or "verified".

    Any other exception than a TicketError propagates; a verified claim that the oracle calls false
    is an AssertionError.
    """
    try:
        if isinstance(changed, bytes):
            path.write_bytes(changed)
        else:
            changed.save(path)
        verdict = check(path)
    except TicketError:
        return "unreadable"
    ticket = Ticket.load(path)
    for name, holds in (("upper", _upper_holds), ("lower", _lower_holds), ("bound", _bound_holds)):
        if verdict[name].outcome is Outcome.VERIFIED:
            assert holds(ticket), f"verified but false: {verdict[name].statement}\n{verdict}"
    return str(verdict.outcome)


def make(rng: np.random.Generator, ticket: Ticket, data: bytes) -> tuple[str, bytes | Ticket]:
    """A mutation that can be written: changes that no ticket can even state are drawn again."""
    while True:
        try:
            return mutate(rng, ticket, data)
        except SlthError:
            continue


def _upper_holds(ticket: Ticket) -> bool:
    claimed = Fraction(ticket.error.upper) / Fraction(ticket.radius)
    return _least_error(ticket) <= claimed**2


def _lower_holds(ticket: Ticket) -> bool:
    claimed = Fraction(ticket.error.lower) / Fraction(ticket.radius)
    if ticket.net.d > 2:
        error = certified(ticket.masked, ticket.target)
        return Fraction(error.upper) >= claimed
    return _least_error(ticket) >= claimed**2


def _least_error(ticket: Ticket) -> Fraction:
    """E^2 exactly in d <= 2; a proven lower bound on it otherwise."""
    return _squared(ticket.masked.digest(), ticket.target.digest(), _Held(ticket))


def _bound_holds(ticket: Ticket) -> bool:
    if ticket.bound == 0.0:
        return True
    assert ticket.net.d <= 2
    assert ticket.kind == "neuron"
    best = _best(ticket.net.digest(), ticket.target.digest(), _Held(ticket))
    return best >= (Fraction(ticket.bound) / Fraction(ticket.radius)) ** 2


class _Held:
    """Carries a ticket past a cache that keys on digests only."""

    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(4096)
def _squared(net: str, target: str, held: _Held) -> Fraction:
    ticket = held.ticket
    if ticket.net.d <= 2:
        return squared_error(ticket.masked, ticket.target)
    error = certified(ticket.masked, ticket.target)
    return Fraction(error.lower) ** 2


@functools.lru_cache(1024)
def _best(net: str, target: str, held: _Held) -> Fraction:
    return best_neuron_error(held.ticket.net, held.ticket.target)
